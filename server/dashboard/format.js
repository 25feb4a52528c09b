// Numbers and moments as people read them.

const UNITS = [
	["d", 86_400_000],
	["h", 3_600_000],
	["min", 60_000],
	["s", 1000],
];

/** `840 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`: two units at most. */
export function duration(ms) {
	if (ms == null) return "";
	const rounded = Math.max(0, ms);
	if (rounded < 1000) return `${Math.round(rounded)} ms`;
	if (rounded < 60_000) return `${(Math.floor(rounded / 100) / 10).toFixed(1)} s`;
	return twoUnits(rounded);
}

function ticking(ms) {
	return ms < 60_000 ? `${Math.floor(Math.max(0, ms) / 1000)} s` : twoUnits(ms);
}

/** How long something has run, or waits: so far, or to its end. */
export function elapsed({ status, startTime, endTime, durationMs, queuedMs = 0 }, now) {
	if (endTime) return duration(durationMs);
	const since = now - Date.parse(startTime);
	return status === "QUEUED" ? `waits ${ticking(since)}` : ticking(since - queuedMs);
}

function twoUnits(ms) {
	const at = UNITS.findIndex(([, size]) => ms >= size);
	const [unit, size] = UNITS[at];
	const [small, smallSize] = UNITS[at + 1];
	const rest = Math.floor((ms % size) / smallSize);
	return `${Math.floor(ms / size)} ${unit} ${String(rest).padStart(2, "0")} ${small}`;
}

export function cost(usage) {
	if (!usage?.costUsd) return "";
	return usage.costUsd < 0.01 ? `$${usage.costUsd.toPrecision(2)}` : `$${usage.costUsd.toFixed(2)}`;
}

const COUNT = new Intl.NumberFormat("en");
export const count = (number) => COUNT.format(number);

export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

export function tokens(usage) {
	if (!usage?.inputTokens && !usage?.outputTokens) return "";
	return `${count(usage.inputTokens)} in, ${count(usage.outputTokens)} out`;
}

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export function moment(text, now = Date.now()) {
	const date = new Date(text);
	const sameDay = date.toDateString() === new Date(now).toDateString();
	return sameDay ? TIME.format(date) : `${DAY.format(date)}, ${TIME.format(date)}`;
}

export const fullMoment = (text) => FULL.format(new Date(text));

export function readable(value) {
	return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
