// Starting an execution: which pipeline, and what it is given.

import { PIPELINES, START } from "./documents.js";
import { addressOf, el, mark, show, write } from "./dom.js";
import { labelsIn, NO_LABEL } from "./filters.js";
import { count, counted } from "./format.js";
import { Unreachable } from "./graphql.js";
import { Recent } from "./recent.js";

const MOST_BYTES = 1 << 20;

export class StartView {
	title = "Start";
	#app;
	#chosen = null;
	#key = null;
	#closed = false;
	#recent = new Recent();

	constructor(app) {
		this.#app = app;
		const { input, labels, limit } = app.draft;
		this.choice = el("div#pipelines.pipelines", { role: "radiogroup", "aria-label": "Pipeline" });
		this.stages = el("ol#pipeline-stages.stages", { "aria-label": "Stages of the pipeline" });
		this.input = el("textarea#start-input", { value: input, rows: "12", spellcheck: "false", placeholder: "Type or paste the input, or drop a file here", oninput: () => this.#changed() });
		this.size = el("span.dim#input-size");
		this.file = el("input#file.unseen", { type: "file", onchange: () => this.#read(this.file.files[0]) });
		this.labels = el("input#labels", { value: labels, placeholder: "team=search, ticket=42", autocomplete: "off", oninput: () => this.#changed() });
		this.limit = el("input#time-limit", { type: "number", min: "0.001", max: "2147483", step: "any", value: limit, placeholder: "The pipeline's own", oninput: () => this.#changed() });
		this.problem = el("p#start-problem.problem", { role: "alert", hidden: true });
		this.submit = el("button#start.primary", { type: "submit", disabled: true }, "Start ", el("kbd", "Ctrl Enter"));
		this.earlier = el("div#recent.recent");
		this.element = el("form.start", { onsubmit: (event) => this.#submitted(event) }, this.#left(), this.#right());
		this.element.addEventListener("keydown", (event) => this.#pressed(event));
		this.#takeDrops();
		this.#load();
	}

	close() {
		this.#closed = true;
		this.forget?.();
	}

	#left() {
		return el("div.panel", el("div.panel-head", el("h1", "Start a pipeline")), this.choice);
	}

	#right() {
		return el("div.panel.form",
			this.stages,
			el("div.label-row", el("label", { for: "start-input" }, "Input"), this.size,
				el("label.button", { for: "file" }, "Choose a file"), this.file),
			this.input,
			el("label", { for: "labels" }, "Labels"), this.labels,
			el("label", { for: "time-limit" }, "Time limit in seconds"), this.limit,
			this.problem,
			el("div.actions", this.submit),
			this.earlier);
	}

	async #load() {
		try {
			const { pipelines } = await this.#app.client.ask(PIPELINES);
			if (!this.#closed) this.#offer(pipelines);
		} catch (error) {
			this.#say(`The pipelines could not be loaded: ${error.message}`);
			this.forget = this.#app.client.whenLive(() => this.#load());
		}
	}

	#offer(pipelines) {
		show(this.problem, false);
		this.choice.replaceChildren(...pipelines.map((pipeline) => this.#option(pipeline)));
		if (!pipelines.length) this.choice.append(el("p.note", "There is no pipeline. Put a YAML file into the server's pipelines folder."));
		const wanted = new URLSearchParams(location.search).get("pipeline") ?? this.#app.draft.pipeline ?? this.#recent.pipeline;
		const first = pipelines.find(({ id }) => id === wanted) ?? pipelines[0];
		if (first) this.#choose(first);
		this.submit.disabled = !first;
		this.input.focus();
	}

	#option(pipeline) {
		const radio = el("input", { type: "radio", name: "pipeline", value: pipeline.id, onchange: () => this.#choose(pipeline) });
		return el("label.pipeline", { "data-pipeline": pipeline.id }, radio,
			el("span.pipeline-name", pipeline.name),
			el("span.dim", `${pipeline.id} · ${pipeline.version} · ${counted(pipeline.totalStages, "stage")}`),
			pipeline.description && el("span.description", pipeline.description));
	}

	#choose(pipeline) {
		this.#chosen = pipeline;
		for (const radio of this.choice.querySelectorAll("input")) radio.checked = radio.value === pipeline.id;
		this.stages.replaceChildren(...pipeline.stages.map(({ name, type, description }) =>
			el("li", { title: description ?? "" }, el("span", name), el("span.dim", type))));
		history.replaceState(history.state, "", `?${new URLSearchParams({ pipeline: pipeline.id })}`);
		this.#showRecent();
		this.#changed();
	}

	#showRecent() {
		const inputs = this.#recent.of(this.#chosen.id);
		const take = (text) => () => {
			this.input.value = text;
			this.#changed();
			this.input.focus();
		};
		const buttons = inputs.map((text) => el("button.recent-input", { onclick: take(text) }, text.slice(0, 120) || "(empty)"));
		this.earlier.replaceChildren(...(inputs.length ? [el("h2", "Recent inputs"), ...buttons] : []));
	}

	#changed() {
		// Another start than the one before: a repeated click must find the first, an edit must not.
		this.#key = null;
		const input = this.input.value;
		this.#app.draft = { input, labels: this.labels.value, limit: this.limit.value, pipeline: this.#chosen?.id };
		this.labels.setCustomValidity(labelsIn(this.labels.value) ? "" : NO_LABEL);
		const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
		write(this.size, input ? `${count(bytes)} of ${count(MOST_BYTES)} bytes` : "");
		mark(this.size, "data-over", String(bytes > MOST_BYTES));
	}

	#takeDrops() {
		const over = (event) => {
			event.preventDefault();
			this.input.classList.toggle("dropping", event.type === "dragover");
		};
		for (const name of ["dragover", "dragleave"]) this.element.addEventListener(name, over);
		this.element.addEventListener("drop", (event) => {
			over(event);
			this.#read(event.dataTransfer.files[0]);
		});
	}

	async #read(file) {
		if (!file) return;
		if (file.size > MOST_BYTES) return this.#say(`${file.name} is larger than 1 MiB, the limit. Take a smaller one.`);
		show(this.problem, false);
		this.input.value = await file.text();
		this.#changed();
	}

	#pressed(event) {
		if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
		event.preventDefault();
		this.element.requestSubmit();
	}

	async #submitted(event) {
		event.preventDefault();
		if (this.submit.disabled) return;
		this.submit.disabled = true;
		try {
			await this.#start();
		} catch (error) {
			const again = error instanceof Unreachable ? " Try again; it will not run twice." : "";
			this.#say(`It was not started: ${error.message}.${again}`);
		} finally {
			this.submit.disabled = false;
		}
	}

	async #start() {
		this.#key ??= randomKey();
		const labels = labelsIn(this.labels.value);
		const timeoutMs = Math.round(this.limit.valueAsNumber * 1000) || null;
		const options = { labels, timeoutMs, idempotencyKey: this.#key };
		const input = this.input.value;
		const { startExecution } = await this.#app.client.ask(START, { pipelineId: this.#chosen.id, input, options });
		const [refusal] = startExecution.userErrors;
		if (refusal) return this.#say(refusal.message);
		this.#recent.add(this.#chosen.id, input);
		this.#app.draft = {};
		this.#app.go(addressOf(startExecution.execution.id));
	}

	#say(words) {
		write(this.problem, words);
		show(this.problem, true);
	}
}

/** Not `randomUUID`: that is missing where the page comes over plain HTTP from another machine. */
function randomKey() {
	return crypto.getRandomValues(new BigUint64Array(2)).join("-");
}
