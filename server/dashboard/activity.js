// How many run, and what ends: known on every page.

import { ACTIVITY, ENDED } from "./documents.js";
import { word } from "./dom.js";
import { TERMINAL } from "./filters.js";
import { duration } from "./format.js";

const WATCHED = "runcast.watched";

/** Sends `change` events, and `end` events whose `detail` is the execution that has ended. */
export class Activity extends EventTarget {
	running = 0;
	last = null;
	#client;
	#cursor = null;
	#active = new Set();
	#watched = new Set(JSON.parse(sessionStorage.getItem(WATCHED) ?? "[]"));

	constructor(client) {
		super();
		this.#client = client;
		const sink = { next: (data) => this.#take(data.executionsChanged), failed: () => {} };
		client.follow(ACTIVITY, () => ({ after: this.#cursor }), sink);
	}

	watches(id) {
		return this.#watched.has(id);
	}

	async watch(id) {
		if ((await globalThis.Notification?.requestPermission()) !== "granted") return false;
		this.#watched.add(id);
		this.#keep();
		return true;
	}

	unwatch(id) {
		this.#watched.delete(id);
		this.#keep();
	}

	#keep() {
		sessionStorage.setItem(WATCHED, JSON.stringify([...this.#watched]));
	}

	#take({ change, cursor, execution, statusCounts }) {
		this.#cursor = cursor;
		const counts = Object.fromEntries(statusCounts.map(({ status, count }) => [status, count]));
		this.running = counts.RUNNING + counts.CANCELLING;
		if (change === "RESET") this.#active.clear();
		if (execution) this.#follow(change, execution);
		if (change === "CAUGHT_UP") this.#catchUp();
		this.dispatchEvent(new Event("change"));
	}

	#follow(change, execution) {
		if (change !== "LEFT") this.#active.add(execution.id);
		// After a break it also tells of those that this page never saw: these are old news.
		else if (this.#active.delete(execution.id) && TERMINAL.has(execution.status)) this.#ended(execution);
	}

	/** What is watched may have ended while this page was closed, or the server down. */
	#catchUp() {
		for (const id of this.#watched) if (!this.#active.has(id)) this.#askFor(id).catch(() => {});
	}

	async #askFor(id) {
		const { execution } = await this.#client.ask(ENDED, { id });
		if (this.watches(id) && TERMINAL.has(execution?.status)) this.#notify(execution);
	}

	#ended(execution) {
		this.last = execution.status;
		this.dispatchEvent(new CustomEvent("end", { detail: execution }));
		if (this.watches(execution.id)) this.#notify(execution);
	}

	#notify(execution) {
		this.unwatch(execution.id);
		const note = new Notification(sentence(execution), { tag: execution.id, body: execution.id });
		note.onclick = () => globalThis.focus();
	}
}

/** `Log Report failed after 2.1 s: Stage error`. */
export function sentence({ pipelineName, status, endReason, durationMs, queuedMs }) {
	const verb = { COMPLETED: "completed", FAILED: "failed", CANCELLED: "was cancelled" }[status];
	const reason = status === "FAILED" && endReason ? `: ${word(endReason).toLowerCase()}` : "";
	return `${pipelineName} ${verb} after ${duration(durationMs || queuedMs)}${reason}`;
}
