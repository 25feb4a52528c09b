// One execution in the list.

import { addressOf, el, mark, setStatus, statusBadge, word, write } from "./dom.js";
import { labelText } from "./filters.js";
import { cost, counted, elapsed, fullMoment, moment } from "./format.js";

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
		this.element = el("div.row", { role: "row", "data-id": item.id },
			cell("what-status", this.badge),
			cell("what", el("div.title", this.name, this.labels), this.preview),
			cell("progress", this.segments, this.stage),
			this.elapsed,
			this.cost,
			this.started);
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
		write(this.elapsed, elapsed(this.#item, this.#clock.now()));
	}

	#writeOnce(item) {
		write(this.name, item.pipelineName);
		write(this.preview, item.inputPreview.replace(/\s+/g, " ") || "(no input)");
		write(this.started, moment(item.startTime, this.#clock.now()));
		this.started.title = fullMoment(item.startTime);
		this.labels.append(...item.labels.map((label) => el("span.label", labelText(label))));
	}

	#writeStages(item) {
		const { stages, currentStage, totalStages, status } = item;
		this.#writeSegments(stages);
		const current = stages[currentStage - 1]?.name ?? "";
		const place = currentStage ? `${currentStage}/${totalStages}` : counted(totalStages, "stage");
		const quiet = status === "COMPLETED" || status === "QUEUED" || !current;
		const end = status === "FAILED" && item.endReason;
		write(this.stage, [place, !quiet && current, word(end)].filter(Boolean).join(" · "));
	}

	#writeSegments(stages) {
		while (this.segments.children.length < stages.length) this.segments.append(el("i"));
		stages.forEach(({ status }, at) => mark(this.segments.children[at], "data-status", status));
	}
}

const cell = (name, ...children) => el(`div.${name}`, { role: "cell" }, children);
