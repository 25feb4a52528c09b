// What can be done without a mouse.

import { openDialog } from "./dialog.js";
import { el } from "./dom.js";

const KEYS = [
	["/", "Search in the list"],
	["j k ↓ ↑", "Move in the list, or between stages"],
	["Enter", "Open what is marked"],
	["n", "Start an execution"],
	["g", "Go to the list"],
	["c", "Cancel the execution that is open"],
	["f", "Follow its output, or pause"],
	["Esc", "Close, or leave a field"],
];

const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

const isTyping = ({ target }) => !!target.closest?.("input, textarea, select");

export class Keyboard {
	#view;
	#go;

	constructor({ view, go }) {
		this.#view = view;
		this.#go = go;
		document.addEventListener("keydown", (event) => this.#pressed(event));
		document.getElementById("help").addEventListener("click", help);
	}

	#pressed(event) {
		if (event.key === "Escape" && isTyping(event)) event.target.blur();
		const elsewhere = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
		if (elsewhere || isTyping(event) || document.querySelector("dialog[open]")) return;
		if (this.#act(event)) event.preventDefault();
	}

	#act(event) {
		if (event.key === "?") help();
		else if (event.key === "n") this.#go("/start");
		else if (event.key === "g") this.#go("/");
		else if (event.key === "/") this.#search();
		else return this.#view().key?.(event, STEPS[event.key]);
		return true;
	}

	#search() {
		if (!this.#view().search) this.#go("/");
		this.#view().search();
	}
}

function help() {
	const rows = KEYS.map(([keys, what]) => [
		el("dt", keys.split(" ").map((key) => el("kbd", key))),
		el("dd", what),
	]);
	openDialog("help-dialog", "Keyboard", [el("dl.keys", rows.flat())]);
}
