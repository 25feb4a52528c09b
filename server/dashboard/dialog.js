// A window above the page, gone when it is closed.

import { el } from "./dom.js";

export function openDialog(id, title, content, actions = []) {
	const close = el("button", { onclick: () => dialog.close() }, "Close");
	const dialog = el("dialog", { id, "aria-labelledby": `${id}-title`, onclose: () => dialog.remove() },
		el("h2", { id: `${id}-title` }, title),
		content,
		el("div.actions", close, actions));
	document.body.append(dialog);
	dialog.showModal();
	return dialog;
}
