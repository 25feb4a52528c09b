// What the list is narrowed to: in the form, in the address, and as the API's filter.

import { el, icon, mark, show, word, write } from "./dom.js";
import { count } from "./format.js";

export const STATUSES = ["QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"];
export const TERMINAL = new Set(["COMPLETED", "FAILED", "CANCELLED"]);
const TYPING_MS = 200;

export class Filters {
	status = new Set();
	pipeline = "";
	labels = [];
	text = "";

	static read(search) {
		const query = new URLSearchParams(search);
		const filters = new Filters();
		const named = (query.get("status") ?? "").split(",");
		filters.status = new Set(named.filter((name) => STATUSES.includes(name)));
		filters.pipeline = query.get("pipeline") ?? "";
		filters.labels = query.getAll("label").map(labelOf).filter(Boolean);
		filters.text = query.get("text") ?? "";
		return filters;
	}

	get empty() {
		return !this.search;
	}

	get search() {
		const query = new URLSearchParams();
		if (this.status.size) query.set("status", [...this.status].join(","));
		if (this.pipeline) query.set("pipeline", this.pipeline);
		for (const label of this.labels) query.append("label", labelText(label));
		if (this.text) query.set("text", this.text);
		return query.size ? `?${query}` : "";
	}

	get input() {
		return {
			...(this.status.size && { status: [...this.status] }),
			...(this.pipeline && { pipelineId: [this.pipeline] }),
			...(this.labels.length && { labels: this.labels }),
			...(this.text && { text: this.text }),
		};
	}

	/** Whether it lets a status in: all else of an execution never changes. */
	lets(status) {
		return !this.status.size || this.status.has(status);
	}
}

export const labelText = ({ key, value }) => `${key}=${value}`;

const labelsText = (labels) => labels.map(labelText).join(", ");

export const NO_LABEL = "A label is key=value.";

/** Labels that were typed, with commas between them; null where one of them is none. */
export function labelsIn(text) {
	const labels = text.split(",").filter((part) => part.trim()).map(labelOf);
	return labels.includes(null) ? null : labels;
}

function labelOf(text) {
	const [key, ...rest] = text.split("=");
	return key.trim() && rest.length ? { key: key.trim(), value: rest.join("=").trim() } : null;
}

export class FilterBar {
	#filters;
	#changed;
	#chips = new Map();
	#typing = 0;

	constructor(filters, changed) {
		this.#filters = filters;
		this.#changed = changed;
		this.text = el("input#search", {
			type: "search", placeholder: "Search id, pipeline or input  /", value: filters.text,
			"aria-label": "Search in id, pipeline and input", oninput: () => this.#typed(), autocomplete: "off",
		});
		this.pipeline = el("select#filter-pipeline", { "aria-label": "Pipeline", onchange: () => this.#read() },
			el("option", { value: "" }, "All pipelines"));
		this.labels = el("input#filter-labels", {
			placeholder: "label=value", "aria-label": "Labels, as key=value, with commas",
			value: labelsText(filters.labels),
			oninput: () => this.#typed(), autocomplete: "off",
		});
		this.problem = el("p#filter-problem.problem", { role: "alert", hidden: true }, NO_LABEL);
		this.element = el("search.filters", { "aria-label": "Filters" },
			el("div.fields", this.text, this.pipeline, this.labels),
			this.problem,
			el("div.chips", { role: "group", "aria-label": "Status" }, STATUSES.map((name) => this.#chip(name))));
		this.offer([]);
		this.#showStatuses();
	}

	/** The pipelines to choose from; the chosen one stays in the list, whether or not it is there. */
	offer(pipelines) {
		const { pipeline } = this.#filters;
		const known = pipelines.some(({ id }) => id === pipeline);
		const all = pipeline && !known ? [...pipelines, { id: pipeline, name: pipeline }] : pipelines;
		const options = all.map(({ id, name }) => el("option", { value: id }, name));
		this.pipeline.replaceChildren(this.pipeline.options[0], ...options);
		this.pipeline.value = pipeline;
	}

	count(counts) {
		for (const [status, chip] of this.#chips) write(chip.lastChild, count(counts.get(status) ?? 0));
	}

	clear() {
		this.text.value = this.labels.value = this.pipeline.value = "";
		this.#filters.status.clear();
		this.#showStatuses();
		this.#read();
		this.text.focus();
	}

	#chip(status) {
		const chip = el("button.chip", { "data-status": status, onclick: () => this.#toggle(status) }, icon(status),
			el("span", word(status)),
			el("span.count", "–"));
		this.#chips.set(status, chip);
		return chip;
	}

	#toggle(status) {
		const chosen = this.#filters.status;
		if (!chosen.delete(status)) chosen.add(status);
		this.#showStatuses();
		this.#read();
	}

	#showStatuses() {
		for (const [status, chip] of this.#chips) mark(chip, "aria-pressed", String(this.#filters.status.has(status)));
	}

	#typed() {
		clearTimeout(this.#typing);
		this.#typing = setTimeout(() => this.#read(), TYPING_MS);
	}

	#read() {
		clearTimeout(this.#typing);
		this.#filters.text = this.text.value.trim();
		this.#filters.pipeline = this.pipeline.value;
		this.#readLabels();
		this.#changed();
	}

	/** A label from a link may have a comma in it: it is read again only if it was edited. */
	#readLabels() {
		const { value } = this.labels;
		const { labels } = this.#filters;
		const read = value === labelsText(labels) ? labels : labelsIn(value);
		show(this.problem, !read);
		this.#filters.labels = read ?? labels;
	}
}
