// The server's clock, as far as it can be known from here.

export class Clock {
	halted = false;
	#offset = 0;
	#listeners = new Set();

	constructor() {
		setInterval(() => this.halted || this.#listeners.forEach((one) => one()), 1000);
	}

	now() {
		return Date.now() + this.#offset;
	}

	/** Takes the server's time; it was read between the two moments of this machine. */
	set(serverTime, asked, answered) {
		this.#offset = Date.parse(serverTime) - (asked + answered) / 2;
	}

	/** Calls once a second; one timer for all who listen. Returns what ends it. */
	tick(listener) {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}
}
