// Rows by their id in an order, of which only those in view exist.

import { perFrame } from "./dom.js";

const BEYOND = 6;

/** `make(item)` gives `{element, update(item), tick()}`; `compare` tells which item comes first. */
export class Table {
	#items = new Map();
	#order = [];
	#rows = new Map();
	#changed = new Set();
	#make;
	#compare;
	#height = 0;
	#added = 0;
	#current = null;
	#stopper = new AbortController();

	constructor({ make, compare, body, reachedEnd }) {
		this.#make = make;
		this.#compare = compare;
		this.body = body;
		this.reachedEnd = reachedEnd;
		this.render = perFrame(() => this.#render());
		const options = { passive: true, signal: this.#stopper.signal };
		addEventListener("scroll", this.render, options);
		addEventListener("resize", () => this.#resized(), options);
	}

	get size() {
		return this.#order.length;
	}

	close() {
		this.#stopper.abort();
	}

	get(id) {
		return this.#items.get(id);
	}

	put(item) {
		const known = this.#items.get(item.id);
		this.#items.set(item.id, item);
		this.#changed.add(item.id);
		if (!known) this.#insert(item);
		this.render();
	}

	remove(id) {
		const item = this.#items.get(id);
		if (!item) return;
		const index = this.#placeOf(item);
		if (this.#isAbove(index)) this.#added -= 1;
		this.#order.splice(index, 1);
		this.#items.delete(id);
		this.render();
	}

	clear() {
		this.#items.clear();
		this.#order = [];
		this.#added = 0;
		this.render();
	}

	tick() {
		for (const row of this.#rows.values()) row.tick();
	}

	scrollTo(top) {
		this.#render();
		scrollTo({ top, behavior: "instant" });
	}

	move(by) {
		const at = this.#order.findIndex(({ id }) => id === this.#current);
		const next = at < 0 ? this.#visible()[0] : at + by;
		this.focus(Math.max(0, Math.min(next, this.size - 1)));
	}

	focus(index) {
		const item = this.#order[index];
		if (!item) return;
		this.#current = item.id;
		this.#scrollTo(index);
		this.#render();
		this.#rows.get(item.id)?.element.querySelector("a").focus({ preventScroll: true });
	}

	#insert(item) {
		const index = this.#placeOf(item);
		if (this.#isAbove(index)) this.#added += 1;
		this.#order.splice(index, 0, item);
	}

	#placeOf(item) {
		let [low, high] = [0, this.size];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.#compare(this.#order[middle], item) < 0) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	#isAbove(index) {
		return this.#height > 0 && index < this.#first();
	}

	#first() {
		return Math.floor((scrollY - this.#top()) / (this.#height || 1));
	}

	#top() {
		return this.body.getBoundingClientRect().top + scrollY;
	}

	#visible() {
		const first = Math.max(0, this.#first());
		return [first, Math.min(this.size, first + Math.ceil(innerHeight / (this.#height || 1)) + 1)];
	}

	#resized() {
		this.#height = 0;
		this.render();
	}

	#measure() {
		this.#height ||= parseFloat(getComputedStyle(this.body).getPropertyValue("--row-height")) || 60;
	}

	#scrollTo(index) {
		const top = this.#top() + index * this.#height;
		const header = 64;
		if (top < scrollY + header) scrollTo({ top: top - header });
		else if (top + this.#height > scrollY + innerHeight) scrollTo({ top: top + this.#height - innerHeight + 8 });
	}

	/** What is being read stays where it is, whatever came or went above it. */
	#holdStill() {
		const moved = this.#added * this.#height;
		this.#added = 0;
		if (moved) scrollBy({ top: moved, behavior: "instant" });
	}

	#render() {
		this.#measure();
		this.body.style.height = `${this.size * this.#height}px`;
		this.#holdStill();
		const [first, last] = this.#visible();
		const from = Math.max(0, first - BEYOND);
		const shown = this.#order.slice(from, last + BEYOND);
		this.#dropAllBut(new Set(shown.map(({ id }) => id)));
		shown.forEach(({ id }, place) => this.#place(id, place, from + place));
		this.#changed.clear();
		if (last + BEYOND >= this.size) this.reachedEnd();
	}

	#dropAllBut(ids) {
		for (const [id, row] of this.#rows) {
			if (ids.has(id)) continue;
			row.element.remove();
			this.#rows.delete(id);
		}
	}

	#place(id, place, index) {
		const item = this.#items.get(id);
		const row = this.#rows.get(id) ?? this.#add(item);
		if (this.#changed.has(id)) row.update(item);
		if (this.body.children[place] !== row.element) this.body.insertBefore(row.element, this.body.children[place] ?? null);
		if (row.index === index && row.height === this.#height) return;
		Object.assign(row, { index, height: this.#height });
		row.element.style.transform = `translateY(${index * this.#height}px)`;
		row.element.setAttribute("aria-rowindex", index + 2);
	}

	#add(item) {
		const row = this.#make(item);
		row.element.addEventListener("focusin", () => (this.#current = item.id));
		this.#rows.set(item.id, row);
		row.update(item);
		return row;
	}
}
