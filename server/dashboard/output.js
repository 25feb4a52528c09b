// The text that a stage puts out: put together without hole or repetition, and shown as it grows.

import { el, perFrame, show, write } from "./dom.js";
import { count } from "./format.js";

const BLOCK = 1 << 15;
const LINE_HEIGHT = 19;
// What colours and moves in a terminal (ECMA-48) is no text; the second is one that is cut short.
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])/g;
const CUT = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,999}\x1b?|[ -/]*)$/;

/** Offsets count characters as the API does: code points, where JavaScript counts UTF-16 units. */
export function codePoints(text) {
	return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

function withoutFirst(text, points) {
	let at = 0;
	for (let left = points; left > 0; left--) at += text.codePointAt(at) > 0xffff ? 2 : 1;
	return text.slice(at);
}

export class OutputLog {
	pieces = [];
	attempt = 0;
	received = 0;
	truncated = false;
	lacking = false;
	reader = null;

	/** Takes a piece in; one that is known is left out, one beyond a hole only tells of the hole. */
	offer({ offset, text, truncated }, attempt) {
		if (attempt < this.attempt) return;
		if (attempt > this.attempt) this.#begin(attempt);
		this.truncated ||= truncated;
		const known = this.received - offset;
		if (known < 0) this.lacking = true;
		else this.#append(known ? withoutFirst(text, Math.min(known, codePoints(text))) : text);
	}

	/** An attempt begins: what an earlier one put out is gone. */
	#begin(attempt) {
		Object.assign(this, { attempt, pieces: [], received: 0, truncated: false });
		this.reader?.restart();
	}

	#append(text) {
		if (!text) return;
		this.pieces.push(text);
		this.received += codePoints(text);
		this.reader?.append(text);
	}
}

/** Shows one log. Text is in blocks, of which the browser lays out only those in view. */
export class OutputPane {
	#log = null;
	#pending = [];
	#text = null;
	#lines = 0;
	following = true;
	#scrolledTo = 0;

	constructor() {
		this.title = el("h2#output-title");
		this.size = el("span.dim#output-size");
		this.toggle = el("button#follow", { onclick: () => this.follow(!this.following) });
		this.copy = el("button#copy-output", { onclick: () => copy(this.copy, this.#log.pieces.join("")) }, "Copy");
		this.scroller = el("div#output.output", {
			tabindex: "0", role: "log", "aria-live": "off",
			"aria-labelledby": "output-title", onscroll: () => this.#scrolled(),
		});
		this.empty = el("p.dim#output-empty", "Nothing was put out.");
		this.element = el("section.panel#output-panel",
			el("div.panel-head", this.title, this.size, this.toggle, this.copy), this.scroller, this.empty);
		this.flush = perFrame(() => this.#flush());
		this.follow(true);
	}

	read(log) {
		if (this.#log) this.#log.reader = null;
		this.#log = log;
		log.reader = this;
		this.restart();
		this.#pending.push(...log.pieces);
		this.follow(true);
	}

	append(text) {
		this.#pending.push(text);
		this.flush();
	}

	restart() {
		this.#pending = [];
		this.#text = null;
		this.scroller.replaceChildren();
		this.flush();
	}

	follow(following) {
		this.following = following;
		write(this.toggle, following ? "Pause" : "Follow");
		this.toggle.title = following ? "Stop scrolling with the output (f)" : "Scroll with the output (f)";
		if (following) this.#toEnd();
	}

	#flush() {
		const given = this.#pending.join("");
		const whole = given.replace(CUT, "");
		this.#pending = [given.slice(whole.length)];
		const text = whole.replace(ESCAPES, "");
		for (let at = 0; at < text.length; ) at = this.#write(text, at);
		show(this.empty, !this.scroller.firstChild);
		show(this.scroller, !!this.scroller.firstChild);
		this.#describe();
		if (this.following) this.#toEnd();
	}

	/** Fills the last block up to the end of a line; returns where the next block begins. */
	#write(text, at) {
		const room = BLOCK - (this.#text?.length ?? BLOCK);
		if (room <= 0) this.#addBlock();
		const most = at + (room > 0 ? room : BLOCK);
		const end = most < text.length ? this.#lineEnd(text, at, most) : text.length;
		const part = text.slice(at, end);
		this.#text.appendData(part);
		this.#lines += part.split("\n").length - 1;
		this.#text.parentNode.style.containIntrinsicSize = `auto ${(this.#lines + 1) * LINE_HEIGHT}px`;
		return end;
	}

	/** A block takes its last line whole, so that no line is broken where the text is not. */
	#lineEnd(text, at, most) {
		const end = text.indexOf("\n", most);
		return end < 0 || end - at > 4 * BLOCK ? most : end + 1;
	}

	#addBlock() {
		this.#text = document.createTextNode("");
		this.#lines = 0;
		this.scroller.append(el("div.block", this.#text));
	}

	#describe() {
		const { received, truncated, lacking } = this.#log ?? {};
		const size = received ? `${count(received)} characters` : "";
		write(this.size, [size, lacking && "loading", truncated && "the rest was not kept"].filter(Boolean).join(", "));
	}

	#toEnd() {
		this.scroller.scrollTop = this.scroller.scrollHeight;
		this.#scrolledTo = this.scroller.scrollTop;
	}

	/** Who scrolls up wants to read; who scrolls to the end wants to follow. */
	#scrolled() {
		const { scrollTop, scrollHeight, clientHeight } = this.scroller;
		const atEnd = scrollHeight - scrollTop - clientHeight < 4;
		if (scrollTop < this.#scrolledTo - 2 && this.following && !atEnd) this.follow(false);
		else if (atEnd && scrollTop > this.#scrolledTo && !this.following) this.follow(true);
		this.#scrolledTo = scrollTop;
	}
}

/** Copies a text, and says on the button whether it could. */
export async function copy(button, text) {
	const label = button.textContent;
	const said = await navigator.clipboard?.writeText(text).then(() => "Copied", () => null);
	write(button, said ?? "Cannot copy here");
	setTimeout(() => write(button, label), 1500);
}
