"""What the old dashboard needs, page by page: section 6 of the REST contract."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from deadlines import eventually
from doors import Row
from runcast.server.process_settings import SHIPPED
from server_process import ServerProcess, serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

HERE, STRANGER = "http://localhost:3000", "http://evil.example"

# In every pipeline the first stage is quick, and the second waits for the file that is the input.
WAITS = 'gate=$(cat); echo begun; while [ ! -e "$gate" ]; do sleep 0.05; done; echo opened'
CLAUDE = """#!/bin/sh
if [ "$1" = --version ]; then echo "9.8.7 (stand-in)"; exit; fi
question=$(cat)
case "$question" in
  "first "*) echo "a first answer" ;;
  *) echo begun; while [ ! -e "${question#second }" ]; do sleep 0.05; done; echo opened ;;
esac
"""
ACTS = """
import asyncio
from pathlib import Path

async def first(text):
    return "a first answer"

async def second(text, context):
    context.emit("begun\\n")
    while not Path(text).exists():
        await asyncio.sleep(0.05)
    context.emit("opened\\n")
    return "opened"
"""
MODEL = {"providerID": "anthropic", "modelID": "claude-x"}
STAGES: dict[str, list[dict[str, object]]] = {
    "command": [
        {"id": "first", "command": ["echo", "a first answer"]},
        {"id": "second", "input": "{{prompt}}", "command": ["sh", "-c", WAITS]},
    ],
    "python": [
        {"id": "first", "call": "acts:first"},
        {"id": "second", "input": "{{prompt}}", "call": "acts:second"},
    ],
    "prompt": [
        {"id": "first", "model": MODEL, "prompt": {"template": "first {{prompt}}"}, "output": {}},
        {"id": "second", "model": MODEL, "prompt": {"template": "second {{prompt}}"}},
    ],
}

# What a page reads of an answer: the type of each key, `?` if it may be absent.
Shape: TypeAlias = dict[str, Any]

NUMBER = (int, float)
LIST_ITEM: Shape = {
    "id": str,
    "pipelineId": str,
    "pipelineName": str,
    "status": str,
    "startTime": int,
    "currentStage": int,
    "totalStages": int,
    "inputPreview": str,
}
PIPELINE_ITEM: Shape = {
    "filename": str,
    "id": str,
    "name": str,
    "version": str,
    "description?": str,
    "stageCount": int,
    "defaultProvider": str,
}
PIPELINE_STAGE: Shape = {
    "id": str,
    "name": str,
    "type": str,
    "description?": str,
    "model": {"providerID": str, "modelID": str},
    "prompt": {"template": str, "variables": list},
    "output": {"format": str},
}
HISTORIC_SUMMARY: Shape = {
    "stagesRun": int,
    "stagesSkipped": int,
    "stagesFailed": int,
    "totalDuration": int,
    "totalCost": NUMBER,
}
SUMMARY: Shape = HISTORIC_SUMMARY | {"totalInputTokens": int, "totalOutputTokens": int}
RECORD: Shape = {
    "id": str,
    "pipelineId": str,
    "pipelineName": str,
    "status": str,
    "startTime": int,
    "endTime": int,
    "duration": int,
    "totalStages": int,
    "stagesRun": int,
    "stagesSkipped": int,
    "stagesFailed": int,
    "inputPreview": str,
    "input": str,
    "totalCost": NUMBER,
    "error?": str,
    "finalOutput?": str,
    "finalOutputType?": str,
    "finalOutputLabel?": str,
}
HISTORY: Shape = {
    "executions": list,
    "total": int,
    "page": int,
    "pageSize": int,
    "totalPages": int,
}
STAGE: Shape = {
    "id": str,
    "name": str,
    "type": str,
    "status": str,
    "duration?": int,
    "cost?": NUMBER,
    "error?": str,
    "output?": str,
}
DETAIL: Shape = {key: kind for key, kind in LIST_ITEM.items() if key != "inputPreview"} | {
    "input": str,
    "stages": list,
}
RESULT: Shape = {"status": str, "output": dict, "error?": str, "summary": SUMMARY}
FINAL_OUTPUT: Shape = {"type": str, "content": str, "label": str}
TOOL: Shape = {"available": bool, "version?": str, "error?": str}
OUTPUT_ITEM: Shape = {
    "filename": str,
    "pipelineId": str,
    "status": str,
    "timestamp": str,
    "duration": int,
    "cost": NUMBER,
    "stagesRun": int,
    "stagesSkipped": int,
    "stagesFailed": int,
}
EVENT_STAGE: Shape = {"id": str, "name": str, "type": str}
EVENT_RESULT: Shape = RESULT | {"pipelineId": str}
EVENTS: dict[str, Shape] = {
    "execution:started": {"pipelineId": str, "pipelineName": str, "stageCount": int},
    "stage:started": {"stage": EVENT_STAGE, "index": int, "total": int},
    "stage:output": {"stageId": str, "output": str, "isFinal": bool},
    "stage:completed": {
        "stage": EVENT_STAGE,
        "result": {"status": str, "cost": NUMBER, "duration": int},
    },
    "stage:failed": {"stage": EVENT_STAGE, "error": str},
    "execution:cancelled": {},
    "execution:completed": {"result": EVENT_RESULT},
}

BEGINNING = [
    "execution:started",
    "stage:started",
    "stage:output",
    "stage:completed",
    "stage:started",
]
END = ["stage:output", "stage:completed", "execution:completed"]
CANCELLED = ["stage:output", "stage:failed", "execution:cancelled"]


def fits(value: Row, shape: Shape) -> bool:
    """Whether what a page reads is there with its type; an assertion says what is not."""
    for name, kind in shape.items():
        key = name.removesuffix("?")
        if key not in value and name != key:
            continue
        assert key in value, f"{key} is missing in {value}"
        if isinstance(kind, dict):
            assert fits(value[key], kind)
        else:
            kinds = kind if isinstance(kind, tuple) else (kind,)
            assert type(value[key]) in kinds, f"{key} is {value[key]!r}"
    return True


@dataclass(frozen=True, slots=True)
class Run:
    """An execution that stays in its second stage until it is let go."""

    server: ServerProcess
    id: str
    gate: Path

    def detail(self) -> Row:
        found: Row = get(self.server, f"/api/executions/{self.id}")
        return found

    def begun(self) -> Row:
        """The detail once the second stage has said something."""
        eventually(lambda: "begun" in self.detail()["stages"][1].get("output", ""))
        return self.detail()

    def ended(self) -> Row:
        self.gate.touch()
        eventually(lambda: "result" in self.detail())
        return self.detail()

    def cancel(self) -> Any:
        return self.server.client.post(f"/api/executions/{self.id}/cancel").json()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pipeline of each kind, and a stand-in for `claude`."""
    home = tmp_path_factory.mktemp("dashboard")
    program = home / "bin" / "claude"
    for folder in (program.parent, home / "pipelines"):
        folder.mkdir()
    program.write_text(CLAUDE)
    program.chmod(0o755)
    (home / "pipelines" / "acts.py").write_text(ACTS)
    for kind, stages in STAGES.items():
        about = {"id": kind, "name": f"The {kind} pipeline", "version": "1.0.0"}
        content = json.dumps({"pipeline": about, "stages": stages})
        (home / "pipelines" / f"{kind}.json").write_text(content)
    return home


def opened(home: Path, folder: Path, *flags: str) -> Any:
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    return serving(folder, "--pipelines", str(home / "pipelines"), *flags, PATH=path)


@pytest.fixture(scope="module")
def api(home: Path) -> Iterator[ServerProcess]:
    """A server that the dashboard on another port may use."""
    with opened(home, home / "server", "--allow-origin", HERE, "--grace", "1") as server:
        yield server


@pytest.fixture(params=list(STAGES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(api: ServerProcess, kind: str, tmp_path: Path) -> Iterator[Run]:
    """An execution of each kind of pipeline; it does not outlive its test."""
    run = started(api, kind, tmp_path / "gate")
    yield run
    run.cancel()


def started(server: ServerProcess, kind: str, gate: Path) -> Run:
    body = {"input": str(gate), "executionMode": "cli", "cliTool": "claude"}
    answer = server.client.post(f"/api/pipelines/{kind}/run", json=body).raise_for_status().json()
    assert fits(answer, {"executionId": str, "pipelineId": str, "executionMode": str})
    assert (answer["pipelineId"], answer["status"]) == (kind, "started")
    return Run(server, answer["executionId"], gate)


def get(server: ServerProcess, path: str, **headers: str) -> Any:
    return server.client.get(path, headers=headers).raise_for_status().json()


def socket_to(server: ServerProcess, origin: str | None = None) -> ClientConnection:
    return connect(server.url.replace("http", "ws", 1) + "/ws", origin=origin)  # type: ignore[arg-type]


def subscribe(socket: ClientConnection, id: str) -> None:
    socket.send(json.dumps({"type": "subscribe", "executionId": id}))
    answer = json.loads(socket.recv(timeout=30))
    assert answer == {"type": "subscribed", "executionId": id, "success": True}


def heard(socket: ClientConnection, number: int) -> list[Row]:
    """The next events, each with what the pages read of it."""
    events = [json.loads(socket.recv(timeout=30)) for _ in range(number)]
    for event in events:
        assert fits(event, {"executionId": str} | EVENTS[event["type"]])
    return events


def types(events: list[Row]) -> list[str]:
    return [event["type"] for event in events]


def test_side_bar(run: Run) -> None:
    """What runs, and how many: without the count the badge vanishes."""
    answer = get(run.server, "/api/executions/running")
    assert list(answer) == ["executions", "count"]
    assert answer["count"] == len(answer["executions"]) >= 1
    [item] = [item for item in answer["executions"] if item["id"] == run.id]
    assert list(item) == list(LIST_ITEM)
    assert fits(item, LIST_ITEM)


def test_dashboard_page(run: Run) -> None:
    """Two arrays, or the page says Loading for ever."""
    run.ended()
    pipelines = get(run.server, "/api/pipelines")
    outputs = eventually(lambda: get(run.server, "/api/outputs"))
    assert {item["id"] for item in pipelines} == set(STAGES)
    assert all(fits(item, PIPELINE_ITEM) for item in pipelines)
    assert all(fits(item, OUTPUT_ITEM) for item in outputs)


def test_pipeline_page(api: ServerProcess, kind: str) -> None:
    """A pipeline, by its id and by its file's stem, with all that its stages show when opened."""
    [item] = [item for item in get(api, "/api/pipelines") if item["id"] == kind]
    shown = get(api, f"/api/pipelines/{kind}")
    assert shown == get(api, f"/api/pipelines/{item['filename'].removesuffix('.ts')}")
    assert fits(shown["pipeline"], {"id": str, "name": str, "version": str})
    assert len(shown["stages"]) == item["stageCount"] == 2
    assert all(fits(stage, PIPELINE_STAGE) for stage in shown["stages"])


def test_pipeline_pages_of_the_shipped_ones(tmp_path: Path) -> None:
    """Every row of every stage can be opened, whatever its kind."""
    with serving(tmp_path, "--pipelines", str(SHIPPED)) as server:
        items = get(server, "/api/pipelines")
        assert len(items) == 3
        for item in items:
            shown = get(server, f"/api/pipelines/{item['id']}")
            assert fits(shown["pipeline"], {"id": str, "name": str, "description": str})
            assert len(shown["stages"]) == item["stageCount"]
            assert all(fits(stage, PIPELINE_STAGE) for stage in shown["stages"])


def test_pipeline_page_has_a_history(run: Run) -> None:
    """The last ten of all pipelines, of which the page picks its own."""
    run.ended()

    def records() -> list[Row]:
        answer = get(run.server, "/api/executions/history?pageSize=10")
        assert fits(answer, HISTORY)
        assert (answer["page"], answer["pageSize"]) == (1, 10)
        assert len(answer["executions"]) <= 10
        return [record for record in answer["executions"] if record["id"] == run.id]

    [record] = eventually(records)
    assert fits(record, RECORD)
    execution = run.detail()
    assert (record["pipelineId"], record["status"]) == (execution["pipelineId"], "completed")
    assert (record["finalOutputType"], record["finalOutputLabel"]) == ("text", "Optimized Prompt")
    assert record["finalOutput"] == execution["result"]["output"]["optimizedPrompt"]


def test_run_form_knows_the_tools(api: ServerProcess) -> None:
    """All three, and that one of them is there: otherwise the form is hidden."""
    answer = get(api, "/api/config/status")
    assert fits(answer, {"hasApiKey": bool, "cliTools": dict})
    assert list(answer["cliTools"]) == ["claude", "opencode", "aider"]
    assert all(fits(tool, TOOL) for tool in answer["cliTools"].values())
    assert answer["cliTools"]["claude"] == {"available": True, "version": "9.8.7 (stand-in)"}


def test_run_form_shows_why_not(api: ServerProcess, kind: str) -> None:
    """The text of the error is shown as it is."""
    answer = api.client.post(f"/api/pipelines/{kind}/run", json={"input": " "})
    assert answer.status_code == 400
    assert answer.json() == {"error": "Input is required and must be a non-empty string"}


def test_live_panel(run: Run) -> None:
    """From the first event to the last, in the order that the panel needs."""
    with socket_to(run.server) as socket:
        subscribe(socket, run.id)
        beginning = heard(socket, len(BEGINNING))
        run.gate.touch()
        end = heard(socket, len(END))
    assert types(beginning) == BEGINNING
    assert types(end) == END
    begun = [event for event in beginning if event["type"] == "stage:started"]
    assert [(event["stage"]["id"], event["index"]) for event in begun] == [
        ("first", 0),
        ("second", 1),
    ]
    assert (beginning[2]["stageId"], end[0]["stageId"]) == ("first", "second")
    assert end[0]["output"] == "begun\nopened\n"
    assert end[-1]["result"] == run.detail()["result"] | {"pipelineId": run.detail()["pipelineId"]}


def test_executions_page(run: Run) -> None:
    """What has ended leaves the one list and comes into the other, once."""
    run.ended()
    listed = get(run.server, "/api/executions/running")["executions"]
    assert run.id not in [item["id"] for item in listed]

    def page() -> list[Row]:
        records: list[Row] = get(run.server, "/api/executions/history?page=1&pageSize=20")[
            "executions"
        ]
        return records

    records = eventually(lambda: page() if run.id in [one["id"] for one in page()] else None)
    assert records is not None
    assert all(fits(record, RECORD) for record in records)
    ids = [record["id"] for record in records]
    assert len(ids) == len(set(ids))
    ends = [record["endTime"] for record in records]
    assert ends == sorted(ends, reverse=True)


def test_detail_page_while_it_runs(run: Run) -> None:
    """Every stage is there, and there is no result."""
    execution = run.begun()
    assert fits(execution, DETAIL)
    assert not {"result", "isHistorical"} & set(execution)
    assert all(fits(stage, STAGE) for stage in execution["stages"])
    assert [stage["status"] for stage in execution["stages"]] == ["completed", "running"]
    assert execution["stages"][0]["output"].strip() == "a first answer"
    assert (execution["status"], execution["currentStage"]) == ("running", 2)
    assert execution["input"] == str(run.gate)


def test_detail_page_when_it_has_ended(run: Run) -> None:
    """With a result and numbers that can be formatted."""
    execution = run.ended()
    assert fits(execution, DETAIL | {"result": RESULT})
    assert all(fits(stage, STAGE) for stage in execution["stages"])
    assert all(stage.keys() >= {"duration", "cost"} for stage in execution["stages"])
    assert execution["status"] == "completed"
    assert execution["result"]["status"] == "success"
    assert list(execution["result"]["output"]) == ["optimizedPrompt", "first", "second"]


def test_detail_page_of_long_ago(home: Path, kind: str, tmp_path: Path) -> None:
    """What has left the lists is still there, and says that it is history."""
    with opened(home, tmp_path / "server", "--retention", "0.1") as server:
        run = started(server, kind, tmp_path / "gate")
        run.gate.touch()
        eventually(lambda: run.detail().get("isHistorical"))
        execution = run.detail()
    assert fits(execution, DETAIL)
    assert execution["stages"] == []
    assert (execution["status"], execution["result"]["status"]) == ("completed", "completed")
    assert fits(execution["result"], {"summary": HISTORIC_SUMMARY})
    final = execution["result"]["output"]["_extractedFinalOutput"]
    assert fits(final, FINAL_OUTPUT)
    assert (final["type"], final["label"]) == ("text", "Optimized Prompt")
    assert final["content"].strip().endswith("opened")


def test_detail_page_cancels(run: Run) -> None:
    """The page changes through the event alone, after which it hears nothing more."""
    run.begun()
    with socket_to(run.server) as socket:
        subscribe(socket, run.id)
        assert types(heard(socket, len(BEGINNING))) == BEGINNING
        assert run.cancel() == {"cancelled": True}
        told = heard(socket, len(CANCELLED))
    assert types(told) == CANCELLED
    eventually(lambda: "result" in run.detail())
    execution = run.detail()
    assert fits(execution, DETAIL | {"result": RESULT})
    assert execution["status"] == execution["result"]["status"] == "cancelled"
    assert [stage["status"] for stage in execution["stages"]] == ["completed", "failed"]


def test_a_refresh_in_the_middle(run: Run) -> None:
    """A new socket hears what there was, then what the one that stayed hears."""
    with socket_to(run.server) as stays:
        subscribe(stays, run.id)
        before = heard(stays, len(BEGINNING))
        run.begun()
        with socket_to(run.server) as leaves:
            subscribe(leaves, run.id)
            heard(leaves, 1)
        with socket_to(run.server) as comes:
            subscribe(comes, run.id)
            assert heard(comes, len(BEGINNING)) == before
            run.gate.touch()
            assert heard(comes, len(END)) == heard(stays, len(END))


def test_outputs_page(run: Run) -> None:
    """The list, newest first, and one of them with its totals."""
    run.ended()

    def saved() -> list[Row]:
        items = get(run.server, "/api/outputs")
        times = [item["timestamp"] for item in items]
        assert times == sorted(times, reverse=True)
        return [item for item in items if run.id.removeprefix("exec_") in item["filename"]]

    [item] = eventually(saved)
    assert fits(item, OUTPUT_ITEM)
    shown = get(run.server, f"/api/outputs/{item['filename']}")
    asked = {"status": str, "timestamp": str, "input": {"prompt": str}, "output": dict}
    assert fits(shown, asked | {"stages": list, "summary": SUMMARY})
    stage = {"stageId": str, "stageName": str, "status": str, "duration": int, "model": str}
    tokens = {"inputTokens": int, "outputTokens": int, "cost": NUMBER}
    assert all(fits(one, stage | tokens) for one in shown["stages"])


def test_a_dashboard_from_elsewhere(api: ServerProcess, kind: str, tmp_path: Path) -> None:
    """It starts, follows and cancels, and its browser lets it see the answers."""
    origin = {"Origin": HERE}
    body = {"input": str(tmp_path / "gate")}
    ran = api.client.post(f"/api/pipelines/{kind}/run", json=body, headers=origin)
    run = Run(api, ran.raise_for_status().json()["executionId"], tmp_path / "gate")
    with socket_to(api, HERE) as socket:
        subscribe(socket, run.id)
        assert types(heard(socket, len(BEGINNING))) == BEGINNING
        stopped = api.client.post(f"/api/executions/{run.id}/cancel", headers=origin)
        told = types(heard(socket, 2))
        while told[-1] != "execution:cancelled":
            told += types(heard(socket, 1))
    assert stopped.json() == {"cancelled": True}
    seen = api.client.get(f"/api/executions/{run.id}", headers=origin)
    for answer in (ran, stopped, seen):
        assert answer.headers["access-control-allow-origin"] == HERE


@pytest.mark.parametrize("path", ["/api/pipelines/command/run", "/api/executions/exec_1_a/cancel"])
def test_a_browser_asks_before_it_lets_a_page_act(api: ServerProcess, path: str) -> None:
    """The preflight of a POST with JSON is granted to that origin and to no other."""
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    may = api.client.options(path, headers=asks | {"Origin": HERE})
    may_not = api.client.options(path, headers=asks | {"Origin": STRANGER})
    assert may.is_success
    assert may.headers["access-control-allow-origin"] == HERE
    assert "POST" in may.headers["access-control-allow-methods"]
    assert "content-type" in may.headers["access-control-allow-headers"].lower()
    assert not may_not.is_success
    assert "access-control-allow-origin" not in may_not.headers


def test_any_other_page_is_refused(run: Run) -> None:
    """It neither starts nor cancels, sees nothing and has no socket."""
    origin = {"Origin": STRANGER}
    answers: list[httpx.Response] = [
        run.server.client.post(f"/api/executions/{run.id}/cancel", headers=origin),
        run.server.client.post(
            "/api/pipelines/command/run", json={"input": "from elsewhere"}, headers=origin
        ),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    listed = run.server.client.get("/api/executions", headers=origin)
    for answer in (*answers, listed):
        assert "access-control-allow-origin" not in answer.headers
    with pytest.raises(InvalidStatus) as refused, socket_to(run.server, STRANGER):
        pass
    assert refused.value.response.status_code == 403
    assert run.detail()["status"] == "running"
    assert "from elsewhere" not in listed.text
