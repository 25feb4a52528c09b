// The list of executions: what runs now on top, the history below it.

import { LIST, LIST_CHANGES, PIPELINES } from "./documents.js";
import { el, mark, show, write } from "./dom.js";
import { FilterBar, Filters, TERMINAL } from "./filters.js";
import { counted } from "./format.js";
import { Row } from "./row.js";
import { Table } from "./table.js";

const COLUMNS = ["Status", "Pipeline and input", "Progress", "Time", "Cost", "Started"];
const PAGE = 100;
const MOST_ROWS = 20_000;

const newestFirst = (a, b) => {
	if (a.startTime !== b.startTime) return a.startTime < b.startTime ? 1 : -1;
	return a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
};

export class ListView {
	title = "Executions";
	#client;
	#filters = Filters.read(location.search);
	#cursor = null;
	#end = null;
	#load = 0;
	#leftAt = history.state?.y;
	#loadingMore = false;
	#counts = new Counts();
	#unfollow = () => {};
	#untick;
	#forget = () => {};

	constructor({ client, clock }) {
		this.#client = client;
		this.bar = new FilterBar(this.#filters, () => this.#changed());
		this.body = el("div#rows.rows", { role: "rowgroup" });
		this.grid = el("div#executions", { role: "table", "aria-label": "Executions", "aria-busy": "true" },
			el("div", { role: "rowgroup" }, el("div.head", { role: "row" }, COLUMNS.map((name) => el("div", { role: "columnheader" }, name)))),
			this.body);
		this.note = el("p.note#list-note");
		this.more = el("button#more", { hidden: true, onclick: () => this.#loadMore() }, "Load older executions");
		this.element = el("section", el("h1.unseen", "Executions"), this.bar.element, this.grid, this.note, this.more);
		const make = (item) => new Row(clock, item);
		this.table = new Table({ make, compare: newestFirst, body: this.body, reachedEnd: () => this.#loadMore() });
		this.#untick = clock.tick(() => this.table.tick());
		this.#reload();
		client.ask(PIPELINES).then(({ pipelines }) => this.bar.offer(pipelines), () => {});
	}

	close() {
		this.#load++;
		this.#unfollow();
		this.#untick();
		this.#forget();
		this.table.close();
	}

	key(event, by) {
		if (by) this.table.move(by);
		return !!by;
	}

	search() {
		this.bar.text.focus();
		this.bar.text.select();
	}

	#changed() {
		history.replaceState(history.state, "", location.pathname + this.#filters.search);
		this.#reload();
	}

	/** The state and its cursor by a query, then what has changed since: no gap between them. */
	async #reload() {
		const load = ++this.#load;
		this.#unfollow();
		mark(this.grid, "aria-busy", "true");
		try {
			const page = await this.#ask(null);
			if (load === this.#load) this.#begin(page);
		} catch (error) {
			if (load === this.#load) this.#failed(error, () => this.#reload());
		}
	}

	#ask(after) {
		return this.#client.ask(LIST, { filter: this.#filters.input, first: PAGE, after });
	}

	#begin({ executionsConnection: page, held }) {
		this.table.clear();
		this.#take(page);
		this.#cursor = page.cursor;
		this.#counts.begin(page.statusCounts, held.statusCounts);
		mark(this.grid, "aria-busy", "false");
		this.#describe();
		this.#follow();
	}

	#take(page) {
		page.nodes.forEach((node) => this.table.get(node.id) || this.table.put(node));
		this.#end = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
		show(this.more, !!this.#end);
		if (this.#leftAt) this.#scrollBack();
	}

	/** To where one left it, once: what is still lacking is loaded at the end of what is there. */
	#scrollBack() {
		this.table.scrollTo(this.#leftAt);
		if (!this.#end || scrollY >= this.#leftAt - 1) this.#leftAt = null;
	}

	#follow() {
		const variables = () => ({ filter: this.#filters.input, after: this.#cursor });
		const sink = {
			next: (data) => this.#apply(data.executionsChanged),
			failed: (error) => this.#failed(error, () => this.#reload()),
		};
		this.#unfollow = this.#client.follow(LIST_CHANGES, variables, sink);
	}

	#apply({ change, execution, cursor, statusCounts }) {
		if (change === "RESET") return this.#reload();
		this.#cursor = cursor;
		this.#counts.take(statusCounts);
		if (execution) this.#place(change, execution);
		this.#describe();
	}

	/** What has only left the list of active executions is still there: in the history. */
	#place(change, execution) {
		const stays = TERMINAL.has(execution.status) && this.#filters.lets(execution.status);
		if (change !== "LEFT" || stays) this.table.put(execution);
		else this.table.remove(execution.id);
	}

	async #loadMore() {
		if (!this.#end || this.#loadingMore || this.table.size >= MOST_ROWS) return;
		this.#loadingMore = true;
		const load = this.#load;
		try {
			const { executionsConnection: page } = await this.#ask(this.#end);
			if (load === this.#load) this.#take(page);
		} catch (error) {
			if (load === this.#load) this.#failed(error, () => this.#loadMore());
		} finally {
			this.#loadingMore = false;
		}
		if (load === this.#load) this.#describe();
	}

	#failed(error, again) {
		write(this.note, `The list could not be loaded: ${error.message}. It is tried again.`);
		show(this.note, true);
		this.#forget = this.#client.whenLive(again);
	}

	#describe() {
		this.bar.count(this.#counts.all);
		mark(this.grid, "aria-rowcount", String(this.#end ? -1 : this.table.size + 1));
		show(this.grid, this.table.size > 0);
		show(this.note, !this.table.size || !this.#end);
		if (this.table.size) write(this.note, `${counted(this.table.size, "execution")}, nothing older.`);
		else this.note.replaceChildren(...(this.#filters.empty ? this.#nothing() : this.#noMatch()));
	}

	#nothing() {
		return [
			el("strong", "Nothing has run yet."),
			" What you start is here at once, live. ",
			el("a.button.primary", { href: "/start" }, "Start one"),
		];
	}

	#noMatch() {
		const clear = el("button#clear", { onclick: () => this.bar.clear() }, "Clear the filters");
		return [el("strong", "No execution matches these filters."), " ", clear];
	}
}

/** By status: those of the list that is followed, and those that only the history holds. */
class Counts {
	all = new Map();
	#held = new Map();
	#past = new Map();

	begin(all, held) {
		this.#held = byStatus(held);
		this.#past = new Map(all.map(({ status, count: n }) => [status, n - (this.#held.get(status) ?? 0)]));
		this.#add();
	}

	/** A final status never changes: where it has become less often, that many went to the history. */
	take(held) {
		for (const { status, count: n } of held) {
			const gone = (this.#held.get(status) ?? 0) - n;
			if (TERMINAL.has(status) && gone > 0) this.#past.set(status, (this.#past.get(status) ?? 0) + gone);
		}
		this.#held = byStatus(held);
		this.#add();
	}

	#add() {
		for (const [status, n] of this.#held) this.all.set(status, n + (this.#past.get(status) ?? 0));
	}
}

const byStatus = (counts) => new Map(counts.map(({ status, count: n }) => [status, n]));
