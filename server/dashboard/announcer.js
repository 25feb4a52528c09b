// Says what has ended to those who listen instead of look.

import { sentence } from "./activity.js";
import { write } from "./dom.js";

const PAUSE_MS = 1500;

/** One end by its name; many at once by their number, for nobody can listen to all of them. */
export function announceEnds(activity) {
	const region = document.getElementById("announcer");
	let waiting = [];
	const say = () => {
		write(region, waiting.length === 1 ? sentence(waiting[0]) : `${waiting.length} executions ended`);
		waiting = [];
	};
	activity.addEventListener("end", ({ detail }) => {
		if (!waiting.length) setTimeout(say, PAUSE_MS);
		waiting.push(detail);
	});
}
