// The executions that a peer in JavaScript serves: read from the file EXECUTIONS, changed by lines on stdin.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const { rows, executions } = JSON.parse(readFileSync(process.env.EXECUTIONS, "utf8"));
const executionsById = new Map(executions.map((execution) => [execution.id, execution]));

const newestFirst = (one, other) => other.startedMs - one.startedMs;
// By id as well: a page has to end somewhere.
const inOneOrder = (one, other) => newestFirst(one, other) || (one.id < other.id ? 1 : -1);
const STATUSES = ["QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"];

// REST's, as the query of the list: sorted at each request, as plain servers do it.
export const listRows = () => [...rows].sort((one, other) => other.startTime - one.startTime);

const listExecutions = () => [...executionsById.values()].sort(newestFirst);

const getExecution = (id) => executionsById.get(id) ?? null;

function pageExecutions(first) {
  const all = [...executionsById.values()].sort(inOneOrder);
  const counts = new Map(STATUSES.map((status) => [status, 0]));
  for (const { status } of all) counts.set(status, counts.get(status) + 1);
  return {
    totalCount: all.length,
    statusCounts: [...counts].map(([status, count]) => ({ status, count })),
    nodes: all.slice(0, first),
    pageInfo: { hasNextPage: all.length > first },
  };
}

export const typeDefs = readFileSync(new URL("schema.graphql", import.meta.url), "utf8");

// What both servers of GraphQL answer, by the names of its fields.
export const Query = {
  executions: () => listExecutions(),
  executionsConnection: (_, { first }) => pageExecutions(first),
  execution: (_, { id }) => getExecution(id),
};

// What a subscriber of that execution is sent.
const progress = (event, execution, output) => ({
  event,
  sequence: execution.sequence,
  status: execution.status,
  currentStage: execution.currentStage,
  totalStages: execution.totalStages,
  output,
});

// Each line: `progress ID SHARE`, the execution has got so far; `output ID TEXT`, it has written a text.
export function followChanges(publish) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const [what, id, text] = line.split(" ");
    const execution = executionsById.get(id);
    execution.sequence += 1;
    if (what === "progress") {
      publish(id, progress("STAGE_CHANGED", execution, null));
    } else {
      publish(id, progress("OUTPUT", execution, { text: text + "\n" }));
    }
  });
  lines.on("close", () => process.exit());
}

export const sayPlace = (port) => console.log(`http://127.0.0.1:${port}`);
