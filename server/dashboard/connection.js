// What the page knows about its connection, said where it can always be seen.

import { openDialog } from "./dialog.js";
import { el, mark, show, write } from "./dom.js";

export class ConnectionBadge {
	#client;
	#element = document.getElementById("connection");
	#text = document.getElementById("connection-text");
	#retry = document.getElementById("connection-retry");
	#banner = document.getElementById("banner");
	#dialog = null;

	constructor(client) {
		this.#client = client;
		client.addEventListener("state", () => this.#state());
		this.#retry.addEventListener("click", () => client.retryNow());
		setInterval(() => this.#write(), 1000);
		this.#state();
	}

	#state() {
		this.#write();
		const { name, until } = this.#client.state;
		if (name === "locked" && !until) this.#askForToken();
		else this.#dialog?.close();
	}

	#write() {
		const { name: known, until, transport } = this.#client.state;
		const name = known === "live" && this.#client.behind ? "behind" : known;
		const seconds = until ? Math.max(0, Math.ceil((until - Date.now()) / 1000)) : 0;
		mark(this.#element, "data-state", name);
		write(this.#text, WORDS[name](seconds, this.#client));
		this.#element.title = transport ? `Over ${transport}` : "";
		show(this.#retry, !!until || name === "locked");
		show(this.#banner, name in BANNERS);
		write(this.#banner, BANNERS[name] ?? "");
	}

	#askForToken() {
		if (this.#dialog?.open) return;
		const token = el("input#token", { type: "password", required: true, autocomplete: "off" });
		const unlock = (event) => {
			event.preventDefault();
			this.#dialog.close();
			this.#client.unlock(token.value.trim());
		};
		const form = el("form", { onsubmit: unlock },
			el("p", "The server was started with it: --token or RUNCAST_TOKEN. It is kept until this tab is closed."),
			el("label", { for: "token" }, "Token"), token,
			this.#client.guarded && el("p.problem", { role: "alert" }, "That token was not taken."),
			el("button.primary", { type: "submit" }, "Unlock"));
		this.#dialog = openDialog("token-dialog", "This server needs a token", [form]);
	}
}

const WORDS = {
	connecting: () => "Connecting",
	live: () => "Live",
	behind: () => "Broker away",
	stale: (_, client) => `No answer for ${Math.round((Date.now() - client.heardAt) / 1000)} s`,
	reconnecting: (seconds) => (seconds ? `Reconnecting in ${seconds} s` : "Reconnecting"),
	stopped: (seconds) => (seconds ? `Server stopped, trying in ${seconds} s` : "Server stopped, trying"),
	locked: () => "Token needed",
};

const BANNERS = {
	stopped: "The server does not answer. You see what it said last; the page goes on by itself when it is back.",
	behind: "What you see may be stale: the server has lost its broker. Nothing can be started or stopped until it is back.",
	stale: "The connection is silent. What you see may be old.",
};
