// Elements, built so that a value can only ever become text.

import { at } from "./place.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element as in `el("button#start.primary", { onclick }, "Start")`. Properties, which may be left
 * out, are attributes; those that start with `on` are listeners. Texts become text.
 */
export function el(selector, ...rest) {
	const [tag, ...marks] = selector.split(/(?=[.#])/);
	const element = document.createElement(tag);
	if (tag === "button") element.type = "button";
	for (const mark of marks) {
		if (mark[0] === "#") element.id = mark.slice(1);
		else element.classList.add(mark.slice(1));
	}
	return rest[0]?.constructor === Object ? fill(element, ...rest) : fill(element, {}, ...rest);
}

export const addressOf = (id) => `/executions/${encodeURIComponent(id)}`;

function svg(tag, properties, ...children) {
	return fill(document.createElementNS(SVG, tag), properties, ...children);
}

function fill(element, properties, ...children) {
	for (const [name, value] of Object.entries(properties)) set(element, name, value);
	element.append(...children.flat().filter((child) => child != null && child !== false));
	return element;
}

function set(element, name, value) {
	if (value == null || value === false) return;
	if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
	else if (name === "value") element.value = value;
	else if (name === "href") element.href = at(value);
	else element.setAttribute(name, value === true ? "" : value);
}

/** Writes text only where it differs: an unchanged node costs no layout. */
export function write(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
	if (element.hidden === visible) element.hidden = !visible;
}

export function mark(element, name, value) {
	if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Calls `run` once before the next paint, however often it is asked to. */
export function perFrame(run) {
	let asked = 0;
	const later = () => {
		// A page in the background gets no frames, and still has to keep up.
		asked ||= document.hidden ? setTimeout(now, 200) : requestAnimationFrame(now);
	};
	const now = () => {
		asked = 0;
		run();
	};
	return later;
}

const ICONS = {
	QUEUED: "M8 4.5V8l2.5 1.5",
	PENDING: "",
	RUNNING: "M6.5 5.2 11 8l-4.5 2.8z",
	CANCELLING: "M6 6h4v4H6z",
	COMPLETED: "m5 8.3 2.1 2.1L11.2 6",
	FAILED: "M8 4.8v4M8 11.2v.1",
	CANCELLED: "m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4",
	SKIPPED: "m5 5.5 3 2.5-3 2.5zM10.5 5.5v5",
};

/** The sign of a status; the word stands beside it, so a reader skips the picture. */
export function icon(status) {
	const path = ICONS[status];
	return svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", "data-status": status },
		svg("circle", { cx: 8, cy: 8, r: 6.5 }),
		path && svg("path", { d: path }));
}

export function statusBadge(status) {
	const badge = el("span.status");
	setStatus(badge, status);
	return badge;
}

export function setStatus(badge, status) {
	if (badge.dataset.status === status) return;
	badge.dataset.status = status;
	badge.replaceChildren(icon(status), el("span", word(status)));
}

export const word = (name) => (name ? name[0] + name.slice(1).toLowerCase().replaceAll("_", " ") : "");
