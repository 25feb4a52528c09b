// The same start, to be pasted elsewhere: as a command, as GraphQL, as a program.

import { START } from "./documents.js";

/** Each takes an execution, the URL of the API, and whether that wants a token. */
export const SNIPPETS = { curl, GraphQL: graphql, Python: python };

/** JSON of texts, lists and objects is Python, too. */
function payload({ pipelineId, input, labels }, indent) {
	const variables = { pipelineId, input, options: { labels } };
	return JSON.stringify({ query: START.replace(/\s+/g, " "), variables }, null, indent);
}

function curl(start, url, guarded) {
	const token = guarded ? ` \\\n  -H "Authorization: Bearer $RUNCAST_TOKEN"` : "";
	// From stdin: a command line has no room for an input of 1 MiB.
	return `curl -sS ${url} -H 'Content-Type: application/json'${token} --data-binary @- <<'END_OF_BODY'
${payload(start)}
END_OF_BODY
`;
}

function graphql({ pipelineId, input, labels }) {
	const said = labels.map(({ key, value }) => `{key: ${JSON.stringify(key)}, value: ${JSON.stringify(value)}}`);
	const options = said.length ? `\n    options: {labels: [${said.join(", ")}]}` : "";
	return `mutation {
	startExecution(
		pipelineId: ${JSON.stringify(pipelineId)}
		input: ${JSON.stringify(input)}${options}
	) {
		execution { id status }
		userErrors { code message }
	}
}
`;
}

function python(start, url, guarded) {
	const token = guarded ? `, "Authorization": "Bearer " + os.environ["RUNCAST_TOKEN"]` : "";
	return `import json, os
from urllib.request import Request, urlopen

payload = ${payload(start, 4)}
headers = {"Content-Type": "application/json"${token}}
with urlopen(Request(${JSON.stringify(url)}, json.dumps(payload).encode(), headers)) as response:
    print(json.load(response))
`;
}
