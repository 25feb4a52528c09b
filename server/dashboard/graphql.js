// The client: queries by POST, subscriptions over one connection that comes back by itself.

import { SERVER } from "./documents.js";
import { EventStreams } from "./events.js";
import { Socket } from "./socket.js";

const PING_MS = 5000;
const LOOK_MS = 2500;
const STALE_MS = 5000;
const DEAD_MS = 25_000;
const LONGEST_WAIT_MS = 15_000;
const SOCKET_TRIES = 2;
const TOKEN = "runcast.token";

export class Unreachable extends Error {}

/** Sends `state` events; `state.name`: connecting, live, stale, reconnecting, stopped or locked. */
export class Client extends EventTarget {
	state = { name: "connecting" };
	heardAt = 0;
	/** Whether the server itself may not know everything: its broker is away. */
	behind = false;
	#clustered = false;
	#lookedAt = 0;
	#url;
	#clock;
	#token = sessionStorage.getItem(TOKEN);
	#transport = null;
	#follows = new Map();
	#count = 0;
	#failures = 0;
	#socketFailures = 0;
	#retryTimer = 0;
	#pingedAt = 0;

	constructor(url, clock) {
		super();
		this.#url = url;
		this.#clock = clock;
	}

	get guarded() {
		return !!this.#token;
	}

	get #usable() {
		return ["live", "stale"].includes(this.state.name);
	}

	start() {
		setInterval(() => this.#watch(), 1000);
		document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
		this.#open();
	}

	unlock(token) {
		sessionStorage.setItem(TOKEN, token);
		this.#token = token;
		this.#retry();
	}

	retryNow() {
		if (this.state.until || this.state.name === "locked") this.#retry();
	}

	/** Calls once the connection is live: in a second, or when it will be. Returns what forgets it. */
	whenLive(run) {
		const stopper = new AbortController();
		const look = () => {
			if (this.state.name !== "live" || stopper.signal.aborted) return;
			stopper.abort();
			run();
		};
		this.addEventListener("state", look, { signal: stopper.signal });
		setTimeout(look, 1000);
		return () => stopper.abort();
	}

	/** The data of a query or mutation. Throws Unreachable, or what the server has refused. */
	async ask(query, variables = {}) {
		const asked = Date.now();
		const response = await this.#post({ query, variables });
		const body = await response.json().catch(() => ({}));
		if (response.status === 401) this.#lock();
		const error = body.errors?.[0];
		if (error) throw new Error(error.message);
		if (!body.data) throw new Error(body.error ?? `The server answered with ${response.status}`);
		const server = body.data.server;
		if (server) this.#clock.set(server.serverTime, asked, Date.now());
		if (server?.engine) this.#learn(server);
		return body.data;
	}

	/**
	 * Follows a subscription across reconnects until it is stopped or over. `variables()` is asked
	 * each time it is sent, so that it can go on from the latest cursor. `sink`: `next(data)` and
	 * `failed(error)`.
	 */
	follow(query, variables, sink) {
		const id = String(++this.#count);
		const follow = { id, query, variables, sink, sent: false };
		this.#follows.set(id, follow);
		this.#send(follow);
		return () => {
			this.#follows.delete(id);
			this.#transport?.unsubscribe(id);
		};
	}

	async #post(payload, accept = "application/json", signal = null) {
		const headers = { "Content-Type": "application/json", Accept: accept };
		if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
		try {
			return await fetch(this.#url, { method: "POST", headers, body: JSON.stringify(payload), signal });
		} catch {
			throw new Unreachable("The server does not answer");
		}
	}

	#open() {
		const link = {};
		this.#transport = this.#connect(link);
		const mine = (act) => (value) => this.#transport?.link === link && act(value);
		this.#transport.link = link;
		link.opened = mine(() => this.#opened());
		link.closed = mine((code) => this.#lost(code));
		link.heard = mine(() => this.#heard());
	}

	#connect(link) {
		const canSocket = "WebSocket" in globalThis && this.#socketFailures < SOCKET_TRIES;
		if (canSocket) return new Socket(this.#url, this.#token, link);
		return new EventStreams(link, (...request) => this.#post(...request), () => this.ask(SERVER));
	}

	#opened() {
		this.#failures = this.#socketFailures = 0;
		this.#pingedAt = 0;
		this.heardAt = Date.now();
		this.#live();
		for (const follow of this.#follows.values()) this.#send(follow);
	}

	#live() {
		this.#set({ name: "live", transport: this.#transport.name });
	}

	#look() {
		this.#lookedAt = Date.now();
		this.ask(SERVER).catch(() => {});
	}

	#learn({ engine, stale }) {
		this.#clustered = engine !== "embedded";
		if (stale === this.behind) return;
		this.behind = stale;
		this.#set(this.state);
	}

	#heard() {
		this.heardAt = Date.now();
		if (this.state.name === "stale") this.#live();
	}

	#lost(code) {
		if (this.state.name === "connecting" || this.state.until) this.#socketFailures++;
		this.#transport = null;
		for (const follow of this.#follows.values()) follow.sent = false;
		if (code === 4403) this.#set({ name: "locked" });
		else this.#wait(code === 1012 ? "stopped" : "reconnecting");
	}

	#wait(name) {
		const most = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.#failures++);
		// Half of it by chance: many pages must not come back to a new server at one moment.
		const wait = most / 2 + (Math.random() * most) / 2;
		this.#retryTimer = setTimeout(() => this.#retry(), wait);
		this.#set({ name, until: Date.now() + wait });
	}

	async #retry() {
		clearTimeout(this.#retryTimer);
		this.#set({ ...this.state, until: Date.now() });
		try {
			await this.ask(SERVER);
		} catch (error) {
			if (this.state.until) this.#wait(error instanceof Unreachable ? "stopped" : "reconnecting");
			return;
		}
		if (!this.#transport) this.#open();
	}

	#lock() {
		this.#transport?.close();
		this.#transport = null;
		this.#set({ name: "locked" });
		throw new Error("A token is needed");
	}

	#set(state) {
		this.state = state;
		this.dispatchEvent(new Event("state"));
	}

	#send(follow) {
		if (!this.#usable || follow.sent || !this.#transport) return;
		follow.sent = true;
		const payload = { query: follow.query, variables: follow.variables() };
		this.#transport.subscribe(follow.id, payload, this.#sinkOf(follow));
	}

	#sinkOf({ id, sink }) {
		const held = () => this.#follows.has(id);
		return {
			id,
			next: (payload) => held() && sink.next(payload.data),
			failed: (errors) => this.#follows.delete(id) && sink.failed(errors[0]),
			complete: () => this.#follows.delete(id),
		};
	}

	#watch() {
		if (!this.#usable) return;
		const now = Date.now();
		if (this.#clustered && now - this.#lookedAt >= LOOK_MS) this.#look();
		const waiting = this.#pingedAt > this.heardAt ? now - this.#pingedAt : 0;
		if (waiting > DEAD_MS) {
			this.#transport.close();
			this.#lost(1006);
		} else if (waiting > STALE_MS) this.#set({ ...this.state, name: "stale" });
		else if (!waiting && now - Math.max(this.heardAt, this.#pingedAt) >= PING_MS) this.#ping(now);
	}

	#ping(now) {
		this.#pingedAt = now;
		this.#transport.ping();
	}
}
