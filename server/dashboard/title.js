// The tab: its title and its icon tell how many run and how the last one ended.

import { perFrame } from "./dom.js";

const COLOURS = { COMPLETED: "#1a7f45", FAILED: "#c4302b", CANCELLED: "#6b7280" };
const SIGNS = { COMPLETED: "✓", FAILED: "✗", CANCELLED: "⊘" };

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
		const mark = running ? `(${running})` : SIGNS[last];
		const title = `${mark ? `${mark} ` : ""}${this.#page} · runcast`;
		if (document.title !== title) document.title = title;
		const icon = `data:image/svg+xml,${encodeURIComponent(drawn(running, last))}`;
		if (this.#icon.href !== icon) this.#icon.href = icon;
	}
}

function drawn(running, last) {
	const colour = running ? "#2459c9" : (COLOURS[last] ?? "#475569");
	const sign = running ? Math.min(running, 99) : (SIGNS[last] ?? "▸");
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${colour}"/><text x="16" y="22" font-family="sans-serif" font-size="17" font-weight="700" fill="#fff" text-anchor="middle">${sign}</text></svg>`;
}
