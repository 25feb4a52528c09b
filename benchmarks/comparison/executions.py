"""The executions that all servers have: made on ours, through its API, and handed to the peers."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from served import Served, ask

from .contestants import Running
from .http_load import load, post
from .wires import Wires

NAMES = ("Prompt optimizer", "Nightly report", "Log digest", "Import of orders")
FAILING = NAMES[-1]
STAGES = 6
WITH_ALL_STAGES = 500
"""So many of the newest executions; those before them have one stage, which saves minutes."""
AT_WORK = 100
CLIENTS = 64
AT_ONCE = 1000
INPUT = 'Summarise the "quarterly" report, list its three largest risks, write to the board. ' * 12
FIELDS = """id pipelineId pipelineName status startTime endTime durationMs currentStage totalStages
inputPreview sequence stages { id name type status attempt durationMs }"""
PAGE = 250
Row = dict[str, Any]


def pipeline(id: str, name: str, functions: list[str]) -> str:
    """The text of its file; a stage is a function of `stage_functions`."""
    stages = "".join(
        f"  - {{id: stage-{number}, name: Stage {number}, call: 'stage_functions:{function}'}}\n"
        for number, function in enumerate(functions)
    )
    return f"pipeline: {{id: {id}, name: {name}, version: 1.0.0}}\nstages:\n{stages}"


def pipelines() -> dict[str, str]:
    """By file name: some that end at once, `reporting` and `talking`, which the wires lead."""
    files = {}
    for number, name in enumerate(NAMES):
        functions = ["nothing"] * STAGES
        if name == FAILING:
            functions[3] = "fail"
        files[f"short-{number}.yaml"] = pipeline(f"short-{number}", name, functions)
    files["old.yaml"] = pipeline("old", "Last night", ["nothing"])
    files["reporting.yaml"] = pipeline(
        "reporting", "Order by order", ["report", *["nothing"] * (STAGES - 1)]
    )
    files["talking.yaml"] = pipeline("talking", "Night watch", ["talk"])
    return files


def starts(number: int, *pipelines: str) -> Iterator[bytes]:
    """Requests that start so many executions, of these pipelines or of all short ones in turn."""
    chosen = pipelines or [f"short-{place}" for place in range(len(NAMES))]
    requests = [post(f"/api/pipelines/{id}/run", {"input": INPUT}) for id in chosen]
    return itertools.islice(itertools.cycle(requests), number)


def start(server: Served, pipeline: str, number: int) -> list[str]:
    """The ids of so many executions of a pipeline."""
    target = ("POST", f"/api/pipelines/{pipeline}/run", json.dumps({"input": INPUT}))
    return [str(server.ask_json(target)["executionId"]) for _ in range(number)]


def fill(ours: Running, wires: Wires, number: int) -> list[str]:
    """So many executions, of which some are at work unless they are few: the ids of those."""
    reporting = min(AT_WORK, number // 2) if number >= AT_WORK else 0
    at_work = start(ours.served, "reporting", reporting)
    wires.wait_for(len(at_work))
    new = min(number - len(at_work), WITH_ALL_STAGES)
    old = number - len(at_work) - new
    for first in range(0, old, AT_ONCE):
        load(ours.served.place, starts(min(AT_ONCE, old - first), "old"), CLIENTS)
        wait_for_end(ours.served, len(at_work))
    load(ours.served.place, starts(new), CLIENTS)
    wait_for_end(ours.served, len(at_work))
    return at_work


def wait_for_end(server: Served, but: int = 0) -> None:
    """Until all have ended, but for so many.

    Raises:
        SystemExit: they have not within five minutes.
    """
    deadline = time.monotonic() + 300
    while int(str(server.ask_json(("GET", "/api/executions/running", None))["count"])) > but:
        if time.monotonic() > deadline:
            raise SystemExit("the executions do not end")
        time.sleep(0.5)


def hand_over(server: Served, file: Path) -> list[Row]:
    """Writes what the server has into a file for the peers; also returns it, newest first."""
    rows: Any = server.ask_json(("GET", "/api/executions", None))["executions"]
    by_id = {execution["id"]: execution for execution in _executions(server)}
    # Pages have another order of those that were started in the same millisecond.
    executions = [{**by_id[row["id"]], "startedMs": row["startTime"]} for row in rows]
    file.write_text(json.dumps({"rows": rows, "executions": executions}))
    return executions


def query(server: Served, text: str, variables: Row | None = None) -> Row:
    """The data; an error ends the benchmark."""
    body = json.dumps({"query": text, "variables": variables or {}})
    connection = server.connect()
    answer: Row = json.loads(ask(connection, ("POST", "/graphql", body)))
    if answer.get("errors"):
        raise SystemExit(f"{server.place}: {answer['errors']}")
    return dict(answer["data"])


def _executions(server: Served) -> Iterator[Row]:
    text = f"""query ($after: String) {{ executionsConnection(first: {PAGE}, after: $after) {{
        nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
    after: str | None = None
    while True:
        page = query(server, text, {"after": after})["executionsConnection"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]
