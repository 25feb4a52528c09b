// Which view an address shows.

import { at, pathOf } from "./place.js";

export class Router {
	#routes;
	#open;

	/** `routes` are [pattern, make(...groups)]; `open(view)` takes the one that fits. */
	constructor(routes, open) {
		this.#routes = routes;
		this.#open = open;
		addEventListener("popstate", () => this.#show());
		document.addEventListener("click", (event) => this.#clicked(event));
	}

	start() {
		this.#show();
	}

	go(address) {
		history.replaceState({ y: scrollY }, "");
		history.pushState(null, "", at(address));
		this.#show();
		scrollTo({ top: 0 });
	}

	/** Opens an address anew, also the one that is open. */
	#show() {
		for (const [pattern, make] of this.#routes) {
			const found = pattern.exec(pathOf(location));
			if (found) return this.#open(make(...found.slice(1).map(decoded)));
		}
	}

	#clicked(event) {
		const link = event.target.closest?.("a[href^='/']");
		const plain = !event.button && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
		if (!link || !plain || link.target || event.defaultPrevented) return;
		const path = pathOf(link);
		if (!this.#routes.some(([pattern]) => pattern.test(path))) return;
		event.preventDefault();
		this.go(path + link.search);
	}
}

/** What is malformed stays as it is: nothing has such a name. */
function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
