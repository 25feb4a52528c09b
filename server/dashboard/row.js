// One execution in the list.

import { addressOf, el, mark, setStatus, statusBadge, word, write } from "./dom.js";
import { TERMINAL } from "./filters.js";
import { cost, duration, fullMoment, moment, ticking } from "./format.js";

export class Row {
	#clock;
	#item;

	constructor(clock, item) {
		this.#clock = clock;
		this.badge = statusBadge(item.status);
		this.name = el("a.name", { href: addressOf(item.id) });
		this.labels = el("span.labels");
		this.preview = el("div.preview");
		this.segments = el("div.segments", { "aria-hidden": "true" });
		this.stage = el("div.stage");
		this.elapsed = cell("elapsed");
		this.cost = cell("cost");
		this.started = cell("started");
		this.element = el(
			"div",
			{ role: "row", class: "row", "data-id": item.id },
			cell("what-status", this.badge),
			cell("what", el("div.title", this.name, this.labels), this.preview),
			cell("progress", this.segments, this.stage),
			this.elapsed,
			this.cost,
			this.started,
		);
		this.#writeOnce(item);
	}

	update(item) {
		this.#item = item;
		mark(this.element, "data-status", item.status);
		setStatus(this.badge, item.status);
		this.#writeStages(item);
		write(this.cost, cost(item.usage));
		this.tick();
	}

	tick() {
		const { status, durationMs, startTime } = this.#item;
		const text = TERMINAL.has(status)
			? duration(durationMs)
			: ticking(this.#clock.now() - Date.parse(startTime));
		write(this.elapsed, text);
	}

	#writeOnce(item) {
		write(this.name, item.pipelineName);
		write(this.preview, item.inputPreview.replace(/\s+/g, " ") || "(no input)");
		write(this.started, moment(item.startTime, this.#clock.now()));
		this.started.title = fullMoment(item.startTime);
		this.labels.append(...item.labels.map(({ key, value }) => el("span.label", `${key}=${value}`)));
	}

	#writeStages(item) {
		const { stages, currentStage, totalStages, status } = item;
		this.#writeSegments(stages);
		const current = stages[currentStage - 1]?.name ?? "";
		const place = currentStage ? `${currentStage}/${totalStages}` : `${totalStages} stages`;
		const quiet = status === "COMPLETED" || status === "QUEUED" || !current;
		const end = status === "FAILED" && item.endReason;
		write(this.stage, [place, quiet ? "" : current, end ? word(end) : ""].filter(Boolean).join(" · "));
	}

	#writeSegments(stages) {
		while (this.segments.children.length < stages.length) this.segments.append(el("i"));
		stages.forEach(({ status }, at) => mark(this.segments.children[at], "data-status", status));
	}
}

const cell = (name, ...children) => el("div", { role: "cell", class: `cell ${name}` }, children);
