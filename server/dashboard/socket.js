// One WebSocket that speaks graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md).

const OPEN_MS = 8000;

export class Socket {
	name = "WebSocket";
	#socket;
	#sinks = new Map();
	#link;
	#opening;

	/** `link` hears `opened()`, `heard()` of each message, and once `closed(code)`. */
	constructor(url, token, link) {
		this.#link = link;
		this.#socket = new WebSocket(url.replace(/^http/, "ws"), "graphql-transport-ws");
		this.#opening = setTimeout(() => this.#lost(4408), OPEN_MS);
		const payload = token ? { Authorization: `Bearer ${token}` } : {};
		this.#socket.onopen = () => this.#send({ type: "connection_init", payload });
		this.#socket.onmessage = (event) => this.#take(JSON.parse(event.data));
		this.#socket.onclose = (event) => this.#lost(event.code);
	}

	subscribe(id, payload, sink) {
		this.#sinks.set(id, sink);
		this.#send({ id, type: "subscribe", payload });
	}

	unsubscribe(id) {
		if (this.#sinks.delete(id)) this.#send({ id, type: "complete" });
	}

	ping() {
		this.#send({ type: "ping" });
	}

	/** Ends it without telling the link. */
	close() {
		clearTimeout(this.#opening);
		this.#socket.onmessage = this.#socket.onclose = null;
		this.#socket.close(1000);
	}

	#send(message) {
		if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
	}

	#lost(code) {
		this.close();
		this.#link.closed(code);
	}

	#take(message) {
		this.#link.heard();
		if (message.type === "connection_ack") this.#acknowledged();
		else if (message.type === "ping") this.#send({ type: "pong" });
		else if (message.id) this.#pass(message);
	}

	#acknowledged() {
		clearTimeout(this.#opening);
		this.#link.opened();
	}

	#pass({ id, type, payload }) {
		const sink = this.#sinks.get(id);
		if (type !== "next") this.#sinks.delete(id);
		if (type === "next") sink?.next(payload);
		if (type === "error") sink?.failed(payload);
		if (type === "complete") sink?.complete();
	}
}
