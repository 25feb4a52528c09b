// The tab: its title and its icon tell how many run and how the last one ended.

import { perFrame } from "./dom.js";

const COLOURS = { COMPLETED: "#1a7f45", FAILED: "#c4302b", CANCELLED: "#6b7280" };
const MARKS = {
	COMPLETED: '<path d="m9 17 5 5 10-11"/>',
	FAILED: '<path d="M16 8v10M16 23v1"/>',
	CANCELLED: '<path d="m11 11 10 10m0-10L11 21"/>',
};
const IDLE = '<path d="m13 10 9 6-9 6z"/>';

export class Title {
	#activity;
	#page = "";
	#icon = document.querySelector("link[rel=icon]");

	constructor(activity) {
		this.#activity = activity;
		activity.addEventListener("change", perFrame(() => this.#write()));
	}

	set(page) {
		this.#page = page;
		this.#write();
	}

	#write() {
		const { running, last } = this.#activity;
		const mark = { COMPLETED: "✓ ", FAILED: "✗ ", CANCELLED: "⊘ " }[last] ?? "";
		const title = `${running ? `(${running}) ` : mark}${this.#page} · runcast`;
		if (document.title !== title) document.title = title;
		const icon = `data:image/svg+xml,${encodeURIComponent(drawn(running, last))}`;
		if (this.#icon.href !== icon) this.#icon.href = icon;
	}
}

function drawn(running, last) {
	const colour = running ? "#2459c9" : (COLOURS[last] ?? "#475569");
	const number = running > 99 ? "99" : String(running);
	const text = `<text stroke="none" x="16" y="22" font-family="sans-serif" font-size="17" font-weight="700" fill="#fff" text-anchor="middle">${number}</text>`;
	const inside = running ? text : (MARKS[last] ?? IDLE);
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${colour}"/><g fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round">${inside}</g></svg>`;
}
