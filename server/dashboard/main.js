// Puts the dashboard together.

import { Activity } from "./activity.js";
import { announceEnds } from "./announcer.js";
import { Clock } from "./clock.js";
import { ConnectionBadge } from "./connection.js";
import { ExecutionView } from "./execution.js";
import { Client } from "./graphql.js";
import { Keyboard } from "./keyboard.js";
import { ListView } from "./list.js";
import { API } from "./place.js";
import { Router } from "./router.js";
import { StartView } from "./start.js";
import { Title } from "./title.js";

const clock = new Clock();
const client = new Client(API, clock);
const activity = new Activity(client);
const title = new Title(activity);
const place = document.getElementById("view");
let view = null;

const router = new Router(
	[
		[/^\/$/, () => new ListView(parts)],
		[/^\/executions\/([^/]+)$/, (id) => new ExecutionView(parts, id)],
		[/^\/start$/, () => new StartView(parts)],
	],
	(next) => {
		const before = view;
		before?.close();
		view = next;
		place.replaceChildren(view.element);
		if (before) place.focus({ preventScroll: true });
		title.set(view.title);
		markLink();
	},
);
const parts = { client, clock, activity, title, draft: {}, go: (address) => router.go(address) };

// Relative until here: the same wherever the page goes.
for (const link of document.querySelectorAll("#top a")) link.setAttribute("href", link.pathname);

function markLink() {
	for (const link of document.querySelectorAll("#nav a")) {
		if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	}
}

new ConnectionBadge(client);
announceEnds(activity);
new Keyboard({ view: () => view, go: parts.go });
// A time that ticks on while the server is silent would be made up.
client.addEventListener("state", () => (clock.halted = client.state.name !== "live"));
client.start();
router.start();
