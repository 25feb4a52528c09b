// Subscriptions as server-sent events (github.com/enisdenjo/graphql-sse, "distinct connections").

export class EventStreams {
	name = "server-sent events";
	#link;
	#streams = new Map();
	#post;
	#ask;

	/** `link` as a Socket's; `ask()` is a small request that shows whether the server answers. */
	constructor(link, post, ask) {
		this.#link = link;
		this.#post = post;
		this.#ask = ask;
		queueMicrotask(() => link.opened());
	}

	subscribe(id, payload, sink) {
		const stopper = new AbortController();
		this.#streams.set(id, stopper);
		this.#read(payload, sink, stopper.signal)
			.catch(() => {})
			.then(() => this.#over(id, stopper));
	}

	unsubscribe(id) {
		this.#streams.get(id)?.abort();
		this.#streams.delete(id);
	}

	ping() {
		this.#ask().then(() => this.#link.heard(), () => {});
	}

	close() {
		for (const stopper of this.#streams.values()) stopper.abort();
		this.#streams.clear();
	}

	/** A stream that was not ended by us nor by `complete` is a connection that was lost. */
	#over(id, stopper) {
		if (stopper.signal.aborted || this.#streams.get(id) !== stopper) return;
		this.close();
		this.#link.closed(1006);
	}

	async #read(payload, sink, signal) {
		const response = await this.#post(payload, "text/event-stream", signal);
		if (!response.ok) throw new Error(`status ${response.status}`);
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (let read = await reader.read(); !read.done; read = await reader.read()) {
			this.#link.heard();
			const blocks = (rest + read.value).split(/\r?\n\r?\n/);
			rest = blocks.pop();
			for (const block of blocks) this.#take(block, sink);
		}
	}

	#take(block, sink) {
		const lines = block.split(/\r?\n/);
		const value = (name) =>
			lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length).trimStart());
		const [event] = value("event:");
		const data = value("data:").join("\n");
		if (event === "next") this.#next(JSON.parse(data), sink);
		if (event === "complete") this.#complete(sink);
	}

	#next(payload, sink) {
		if (payload.data) sink.next(payload);
		else sink.failed(payload.errors ?? []);
	}

	#complete(sink) {
		this.#streams.delete(sink.id);
		sink.complete();
	}
}
