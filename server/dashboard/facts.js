// What is known of an execution besides its stages: a list of terms, an error, input and result.

import { addressOf, el, show, word, write } from "./dom.js";
import { labelText } from "./filters.js";
import { cost, duration, elapsed, fullMoment, tokens } from "./format.js";
import { copy } from "./output.js";

export class Facts {
	#clock;
	#execution;

	constructor(clock) {
		this.#clock = clock;
		this.list = el("dl#facts.facts");
		this.elapsed = el("dd#elapsed");
		this.element = el("section.panel", el("div.panel-head", el("h2", "Facts")), this.list);
	}

	update(execution) {
		this.#execution = execution;
		this.tick();
		const rows = this.#rows(execution).filter(([, value]) => value);
		this.list.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", name), described(value)]));
	}

	tick() {
		write(this.elapsed, elapsed(this.#execution, this.#clock.now()));
	}

	#rows(execution) {
		const { startTime, endTime, queuedMs, endReason, usage, labels, retryOf, cancellation, pipelineId } = execution;
		return [
			["Elapsed", this.elapsed],
			["Waited", queuedMs >= 1000 && duration(queuedMs)],
			["End reason", word(endReason)],
			["Started", fullMoment(startTime)],
			["Ended", endTime && fullMoment(endTime)],
			["Pipeline", pipelineId],
			["Tokens", tokens(usage)],
			["Cost", cost(usage)],
			["Labels", labels.length > 0 && el("dd.labels", labels.map(labelLink))],
			["Retry of", retryOf && el("dd", el("a", { href: addressOf(retryOf) }, retryOf))],
			["Cancel", cancellation && cancelled(cancellation)],
		];
	}
}

const described = (value) => (value instanceof Node ? value : el("dd", value));

function labelLink(label) {
	const said = labelText(label);
	return el("a.label", { href: `/?${new URLSearchParams({ label: said })}` }, said);
}

function cancelled({ reason, requestedAt, stoppedAfterMs, forced }) {
	const how = forced ? "forced" : "";
	const after = stoppedAfterMs == null ? "stopping" : `stopped after ${duration(stoppedAfterMs)}`;
	return [reason && `“${reason}”`, fullMoment(requestedAt), how, after].filter(Boolean).join(", ");
}

// Whole lines where it can be: the browser lays out only the blocks in view.
const BLOCKS = /[^]{1,32768}[^\n]{0,32768}\n?/g;

/** A text to be read and copied; hidden as long as there is none. */
export class TextPanel {
	#text = null;

	constructor(id, title) {
		this.pre = el("pre", { id, tabindex: "0", role: "region", "aria-label": title });
		this.copy = el("button", { onclick: () => copy(this.copy, this.#text) }, "Copy");
		this.element = el("section.panel", { hidden: true },
			el("div.panel-head", el("h2", title), this.copy), this.pre);
	}

	set(text) {
		show(this.element, text != null);
		if (text === this.#text) return;
		this.#text = text;
		this.pre.replaceChildren(...(text?.match(BLOCKS) ?? []).map((part) => el("div.block", part)));
	}
}
