// The inputs that were started from this browser, the latest first.

const KEY = "runcast.recent";
const MOST = 8;
const MOST_CHARACTERS = 10_000;

export class Recent {
	#kept = read();

	get pipeline() {
		return this.#kept[0]?.pipeline;
	}

	of(pipeline) {
		return this.#kept.filter((one) => one.pipeline === pipeline).map(({ input }) => input);
	}

	add(pipeline, input) {
		if (input.length > MOST_CHARACTERS) return;
		const others = this.#kept.filter((one) => one.pipeline !== pipeline || one.input !== input);
		this.#keep([{ pipeline, input }, ...others].slice(0, MOST));
	}

	#keep(kept) {
		this.#kept = kept;
		try {
			localStorage.setItem(KEY, JSON.stringify(kept));
		} catch {
			// Full or forbidden: then it is remembered until the page is closed.
		}
	}
}

function read() {
	try {
		const kept = JSON.parse(localStorage.getItem(KEY));
		return Array.isArray(kept) ? kept : [];
	} catch {
		return [];
	}
}
