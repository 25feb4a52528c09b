// What can be done with an execution: cancel it, run it again, take it elsewhere.

import { CANCEL, RETRY } from "./documents.js";
import { openDialog } from "./dialog.js";
import { addressOf, el, show, write } from "./dom.js";
import { TERMINAL } from "./filters.js";
import { copy } from "./output.js";
import { API } from "./place.js";
import { SNIPPETS } from "./snippets.js";

export class Actions {
	#app;
	#execution = null;

	constructor(app) {
		this.#app = app;
		this.cancel = button("cancel.danger", "Cancel", () => this.askCancel());
		this.force = button("force.danger", "Stop now", () => this.#askForce());
		this.retry = button("retry", "Retry", () => this.#askRetry());
		this.copyAs = button("copy-as", "Copy as", () => this.#showCode());
		show(this.copyAs, true);
		this.notify = button("notify", "Notify me", () => this.#toggleNotify());
		this.element = el("div.actions", this.notify, this.copyAs, this.retry, this.cancel, this.force);
	}

	update(execution) {
		this.#execution = execution;
		const { status, id } = execution;
		const ended = TERMINAL.has(status);
		show(this.cancel, status === "RUNNING" || status === "QUEUED");
		show(this.force, status === "CANCELLING" && !execution.cancellation?.forced);
		show(this.retry, ended);
		show(this.notify, !ended && "Notification" in globalThis);
		write(this.notify, this.#app.activity.watches(id) ? "Will notify" : "Notify me");
	}

	askCancel() {
		if (this.cancel.hidden) return;
		const reason = el("textarea#reason", { rows: "2", maxlength: "250", placeholder: "Shown with the execution" });
		this.#ask("cancel-dialog", "Cancel this execution?", "Cancel execution", () => this.#stop(reason.value.trim(), false), [
			el("p", "The running stage gets a grace period to end. Nothing after it runs."),
			el("label", { for: "reason" }, "Reason (optional)"), reason,
		]);
	}

	#askForce() {
		this.#ask("force-dialog", "Stop it now?", "Stop now", () => this.#stop(null, true), [
			el("p", "The stage gets no more time. What it was writing may be left half done."),
		]);
	}

	#askRetry() {
		const stages = this.#execution.stages.map(({ id, name }, at) => el("option", { value: at ? id : "" }, at ? `From ${name}` : "All stages"));
		const from = el("select#from-stage", stages);
		from.value = this.#firstUndone();
		this.#ask("retry-dialog", "Run it again", "Retry", () => this.#again(from.value || null), [
			el("p", "A new execution with the same input. The outputs of the stages before are taken over."),
			el("label", { for: "from-stage" }, "Run"), from,
		]);
	}

	#firstUndone() {
		const at = this.#execution.stages.findIndex(({ status }) => !["COMPLETED", "SKIPPED"].includes(status));
		return at > 0 ? this.#execution.stages[at].id : "";
	}

	async #stop(reason, force) {
		const { id } = this.#execution;
		const { cancelExecution } = await this.#app.client.ask(CANCEL, { id, reason: reason || null, force });
		return cancelExecution.userErrors[0]?.message;
	}

	async #again(fromStage) {
		const { id } = this.#execution;
		const { retryExecution } = await this.#app.client.ask(RETRY, { id, fromStage });
		const { execution, userErrors } = retryExecution;
		if (execution) this.#app.go(addressOf(execution.id));
		return userErrors[0]?.message;
	}

	#showCode() {
		const code = el("pre#snippet", { tabindex: "0" });
		const format = el("select#snippet-format", { "aria-label": "Format", onchange: () => draw() });
		format.append(...Object.keys(SNIPPETS).map((name) => el("option", name)));
		const draw = () => write(code, SNIPPETS[format.value](this.#execution, API, this.#app.client.guarded));
		draw();
		const take = el("button.primary#snippet-copy", { onclick: () => copy(take, code.textContent) }, "Copy");
		openDialog("snippet-dialog", "Start the same elsewhere", [format, code], [take]);
	}

	async #toggleNotify() {
		const { activity } = this.#app;
		const { id } = this.#execution;
		if (activity.watches(id)) activity.unwatch(id);
		else if (!(await activity.watch(id))) return write(this.notify, "The browser does not allow it");
		this.update(this.#execution);
	}

	/** A dialog whose button acts; what is refused is said in it, and it stays open. */
	#ask(id, title, label, act, content) {
		const problem = el("p.problem", { role: "alert", hidden: true });
		const go = el("button.primary", { "data-act": "" }, label);
		const dialog = openDialog(id, title, [...content, problem], [go]);
		go.addEventListener("click", async () => {
			go.disabled = true;
			const refusal = await act().catch((error) => error.message);
			go.disabled = false;
			write(problem, refusal ?? "");
			show(problem, !!refusal);
			if (!refusal) dialog.close();
		});
	}
}

const button = (id, text, onclick) => el(`button#${id}`, { hidden: true, onclick }, text);
