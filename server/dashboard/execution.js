// One execution: complete when it is opened, live as long as it runs.

import { Actions } from "./actions.js";
import { EXECUTION, OUTPUT, OUTPUT_PAGE, PROGRESS } from "./documents.js";
import { el, setStatus, show, statusBadge, write } from "./dom.js";
import { Facts, TextPanel } from "./facts.js";
import { TERMINAL } from "./filters.js";
import { readable } from "./format.js";
import { codePoints, OutputLog, OutputPane } from "./output.js";
import { Timeline } from "./timeline.js";

const FIRST_PIECE = 1 << 16;
const PAGE = 1 << 20;

export class ExecutionView {
	title = "Execution";
	#app;
	#id;
	#execution = null;
	#logs = new Map();
	#chosen = null;
	#along = true;
	#filling = false;
	#closed = false;
	#ends = [];

	constructor(app, id) {
		this.#app = app;
		this.#id = id;
		this.name = el("h1#name", "…");
		this.badge = statusBadge("QUEUED");
		this.badge.id = "status";
		this.problem = el("p#error.problem", { role: "alert", hidden: true });
		this.note = el("p.note#execution-note", "Loading…");
		this.actions = new Actions(app);
		this.timeline = new Timeline(app.clock, (stage) => this.#choose(stage));
		this.output = new OutputPane();
		this.facts = new Facts(app.clock);
		this.input = new TextPanel("input", "Input");
		this.result = new TextPanel("result", "Result");
		this.body = el("div.columns", { hidden: true },
			el("div", this.timeline.element, this.output.element),
			el("div", this.result.element, this.facts.element, this.input.element));
		this.head = el("div.execution-head", { hidden: true },
			el("div", el("div.headline", this.name, this.badge), el("code#execution-id", id)),
			this.actions.element);
		this.element = el("article.execution", { "data-id": id }, this.head, this.problem, this.note, this.body);
		this.#load();
	}

	close() {
		this.#closed = true;
		this.#stop();
	}

	key(event, by) {
		const inText = event.target.closest?.("pre, .output");
		if (!this.#execution || (inText && event.key.startsWith("Arrow"))) return false;
		if (by) this.#move(by);
		else if (event.key === "c") this.actions.askCancel();
		else if (event.key === "f") this.output.follow(!this.output.following);
		else return false;
		return true;
	}

	#stop() {
		this.#ends.forEach((end) => end());
		this.#ends = [];
	}

	async #load() {
		this.#stop();
		try {
			const { execution } = await this.#app.client.ask(EXECUTION, { id: this.#id, limit: FIRST_PIECE });
			if (this.#closed) return;
			if (execution) this.#begin(execution);
			else this.#missing();
		} catch (error) {
			if (!this.#closed) this.#failed(error);
		}
	}

	#missing() {
		const all = el("a.button.primary", { href: "/" }, "See all executions");
		this.note.replaceChildren(el("strong", "There is no execution of this id."),
			" The history may have dropped it, or the id is mistyped. ", all);
	}

	#failed(error) {
		show(this.note, !this.#execution);
		write(this.note, `It could not be loaded: ${error.message}. It is tried again.`);
		this.#ends.push(this.#app.client.whenLive(() => this.#load()));
	}

	#begin(execution) {
		for (const { id, attempt, output } of execution.stages) {
			this.#logOf(id).offer(output, attempt);
			this.#logOf(id).lacking ||= codePoints(output.text) >= FIRST_PIECE;
		}
		this.input.set(execution.input);
		show(this.note, false);
		show(this.body, true);
		show(this.head, true);
		this.#take(execution);
		this.result.set(execution.output == null ? null : readable(execution.output));
		if (!TERMINAL.has(execution.status)) this.#follow(execution.cursor);
	}

	#follow(from) {
		this.#watch(PROGRESS, from, ({ execution }) => this.#takeProgress(execution));
		this.#watch(OUTPUT, from, (message) => this.#takeOutput(message));
		const { clock } = this.#app;
		this.#ends.push(clock.tick(() => this.timeline.tick()), clock.tick(() => this.facts.tick()));
	}

	#watch(query, from, take) {
		let cursor = from;
		const sink = {
			next: ({ executionProgress: message }) => {
				cursor = message.cursor;
				take(message);
			},
			// It is not among the active ones any more: the history knows how it ended.
			failed: () => this.#load(),
		};
		this.#ends.push(this.#app.client.follow(query, () => ({ id: this.#id, after: cursor }), sink));
	}

	#take(execution) {
		this.#execution = { ...this.#execution, ...execution };
		write(this.name, execution.pipelineName);
		this.title = execution.pipelineName;
		this.#app.title.set(this.title);
		setStatus(this.badge, execution.status);
		this.element.dataset.status = execution.status;
		this.#sayError(execution.error);
		this.timeline.update(this.#execution);
		this.facts.update(this.#execution);
		this.actions.update(this.#execution);
		this.#goAlong();
	}

	/** The result is not in the messages: the end is a reason to look once more. */
	#takeProgress(execution) {
		this.#take(execution);
		if (TERMINAL.has(execution.status)) this.#load();
	}

	#sayError(error) {
		show(this.problem, !!error);
		const stage = error?.stageId ? ` in the stage ${error.stageId}` : "";
		write(this.problem, error ? `${error.type}${stage}: ${error.message}${error.traceback ? `\n\n${error.traceback}` : ""}` : "");
	}

	#takeOutput({ event, stage, output }) {
		if (event === "RESET") for (const log of this.#logs.values()) log.lacking = true;
		if (output) this.#logOf(stage.id).offer(output, stage.attempt);
		this.#fill();
	}

	#logOf(id) {
		if (!this.#logs.has(id)) this.#logs.set(id, new OutputLog());
		return this.#logs.get(id);
	}

	get #current() {
		const { stages, currentStage } = this.#execution;
		return stages[Math.max(0, currentStage - 1)].id;
	}

	/** The stage that runs is shown, unless somebody has chosen another one. */
	#goAlong() {
		if (this.#along) this.#choose(this.#current);
	}

	#choose(id) {
		this.#along = id === this.#current;
		if (id === this.#chosen) return;
		this.#chosen = id;
		this.timeline.choose(id);
		const stage = this.#execution.stages.find((one) => one.id === id);
		write(this.output.title, `Output of ${stage.name}`);
		this.output.read(this.#logOf(id));
		this.#fill();
	}

	#move(by) {
		const { stages } = this.#execution;
		const at = stages.findIndex(({ id }) => id === this.#chosen) + by;
		const stage = stages[Math.max(0, Math.min(at, stages.length - 1))];
		this.#choose(stage.id);
		this.timeline.focus(stage.id);
	}

	async #fill() {
		if (this.#filling) return;
		this.#filling = true;
		const lacking = () => !this.#closed && this.#logOf(this.#chosen).lacking;
		try {
			while (lacking()) await this.#fetchPage(this.#chosen);
		} catch {
			if (!this.#closed) this.#ends.push(this.#app.client.whenLive(() => this.#fill()));
		} finally {
			this.#filling = false;
			this.output.flush();
		}
	}

	async #fetchPage(chosen) {
		const log = this.#logOf(chosen);
		log.lacking = false;
		const variables = { id: this.#id, offset: log.received, limit: PAGE };
		const { execution } = await this.#app.client.ask(OUTPUT_PAGE, variables).catch((error) => {
			log.lacking = true;
			throw error;
		});
		const stage = execution?.stages.find(({ id }) => id === chosen);
		if (!stage) return;
		log.offer(stage.output, stage.attempt);
		log.lacking ||= codePoints(stage.output.text) >= PAGE;
	}
}
