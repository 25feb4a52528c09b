// The stages of an execution along its time.

import { el, mark, setStatus, show, statusBadge, write } from "./dom.js";
import { cost, duration, elapsed, tokens } from "./format.js";

const TICKS = 4;

export class Timeline {
	#clock;
	#rows = new Map();
	#execution = null;

	constructor(clock, select) {
		this.#clock = clock;
		this.select = select;
		this.axis = el("div.axis", { "aria-hidden": "true" });
		this.axis.append(...Array.from({ length: TICKS + 1 }, () => el("span")));
		this.list = el("ol#timeline.timeline", { "aria-label": "Stages" });
		this.element = el("section.panel", el("div.panel-head", el("h2", "Stages"), this.axis), this.list);
	}

	update(execution) {
		this.#execution = execution;
		for (const stage of execution.stages) this.#rowOf(stage).update(stage);
		this.tick();
	}

	tick() {
		const span = this.#span();
		for (const row of this.#rows.values()) row.draw(span);
		[...this.axis.children].forEach((label, at) => write(label, duration(((span.end - span.start) * at) / TICKS)));
	}

	choose(id) {
		for (const [stage, row] of this.#rows) mark(row.button, "aria-pressed", String(stage === id));
	}

	focus(id) {
		this.#rows.get(id)?.button.focus();
	}

	#span() {
		const { startTime, endTime, queuedMs } = this.#execution;
		const now = this.#clock.now();
		const start = Date.parse(startTime) + queuedMs;
		return { start, now, end: Math.max(start + 1, endTime ? Date.parse(endTime) : now) };
	}

	#rowOf(stage) {
		let row = this.#rows.get(stage.id);
		if (!row) {
			row = new StageRow(stage, () => this.select(stage.id));
			this.#rows.set(stage.id, row);
			this.list.append(row.element);
		}
		return row;
	}
}

class StageRow {
	constructor(stage, chosen) {
		this.badge = statusBadge(stage.status);
		this.bar = el("div.bar");
		this.time = el("span.time");
		this.details = el("span.details");
		this.error = el("span.stage-error");
		this.button = el("button.stage-button", { "aria-pressed": "false", onclick: chosen },
			el("span.stage-name", el("span", stage.name), this.badge),
			el("span.track", this.bar),
			this.time, this.details, this.error);
		this.element = el("li", { "data-stage": stage.id, "data-status": stage.status }, this.button);
	}

	update(stage) {
		this.stage = stage;
		mark(this.element, "data-status", stage.status);
		setStatus(this.badge, stage.status);
		write(this.details, this.#told(stage));
		show(this.details, !!this.details.textContent);
		write(this.error, stage.error ? `${stage.error.type}: ${stage.error.message}` : "");
		show(this.error, !!stage.error);
	}

	draw({ start, now, end }) {
		const { startTime, endTime } = this.stage;
		const from = Date.parse(startTime);
		show(this.bar, from >= start);
		if (!startTime) return write(this.time, "");
		// What began before the execution did was run by the one that it repeats.
		if (from < start) return write(this.time, "taken over");
		const to = endTime ? Date.parse(endTime) : Math.min(now, end);
		const percent = (ms) => Math.max(0, Math.min(100, (ms / (end - start)) * 100));
		this.bar.style.left = `${percent(from - start)}%`;
		this.bar.style.width = `${percent(to - from)}%`;
		write(this.time, elapsed(this.stage, now));
	}

	#told({ attempt, skipReason, model, usage }) {
		const tries = attempt > 1 ? `attempt ${attempt}` : "";
		return [skipReason, tries, model, tokens(usage), cost(usage)].filter(Boolean).join(" · ");
	}
}
