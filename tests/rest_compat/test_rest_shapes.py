"""The JSON of REST: which keys, in which order (sections 1 and 2 of the REST contract)."""

from collections.abc import Callable

import httpx
from deadlines import eventually
from doors import FIELDS, Row

Run = Callable[..., str]
Ended = Callable[[str], Row]

DETAIL = [field for field in FIELDS if field != "inputPreview"] + ["input", "stages", "queuedMs"]
STAGE = ["id", "name", "type", "status"]
SUMMARY = [
    "stagesRun",
    "stagesSkipped",
    "stagesFailed",
    "totalDuration",
    "totalCost",
    "totalInputTokens",
    "totalOutputTokens",
]


def test_list_item(rest: httpx.Client, run: Run) -> None:
    """The list has one key, and its items these eight keys in this order."""
    id = run("waiting")
    listed = rest.get("/api/executions").json()
    assert list(listed) == ["executions"]
    assert list(listed["executions"][0]) == list(FIELDS)
    assert listed["executions"][0]["id"] == id


def test_running_has_a_count(rest: httpx.Client, run: Run) -> None:
    """The running list also tells how long it is."""
    run("waiting")
    answer = rest.get("/api/executions/running").json()
    assert list(answer) == ["executions", "count"]
    assert answer["count"] == len(answer["executions"]) > 0


def test_detail_while_running(rest: httpx.Client, run: Run) -> None:
    """A running execution has no result yet, a stage that has put out nothing four keys."""
    detail = rest.get(f"/api/executions/{run('waiting')}").json()
    assert list(detail) == DETAIL
    assert list(detail["stages"][1]) == STAGE


def test_detail_of_success(run: Run, ended: Ended) -> None:
    """A completed execution has a result, its stages durations, costs and outputs."""
    detail = ended(run("several-v1", "text"))
    assert list(detail) == [*DETAIL, "result"]
    for stage in detail["stages"]:
        assert list(stage) == [*STAGE, "duration", "cost", "output"]
        assert isinstance(stage["duration"], int)
    result = detail["result"]
    assert list(result) == ["status", "output", "summary"]
    assert result["status"] == "success"
    assert list(result["summary"]) == SUMMARY
    numbers = {key: result["summary"][key] for key in SUMMARY if key != "totalDuration"}
    assert numbers == dict.fromkeys(numbers, 0) | {"stagesRun": 3}


def test_result_output(run: Run, ended: Ended) -> None:
    """The output of a result is an object: each stage's value, and the last one as text."""
    output = ended(run("several-v1", "text"))["result"]["output"]
    assert list(output) == ["optimizedPrompt", "read", "shout", "measure"]
    assert (output["read"], output["shout"]) == ("text", "TEXT")
    assert output["measure"] == {"text": "TEXT", "characters": 4}
    assert isinstance(output["optimizedPrompt"], str)


def test_detail_of_failure(run: Run, ended: Ended) -> None:
    """A failed stage has an error and no duration; the result says failed, and why."""
    detail = ended(run("failing", "rubbish"))
    _, failed, pending = detail["stages"]
    assert list(failed) == [*STAGE, "error"]
    assert list(pending) == STAGE
    assert list(detail["result"]) == ["status", "output", "error", "summary"]
    assert detail["result"]["status"] == "failed"
    assert "rubbish" in detail["result"]["error"]
    summary = detail["result"]["summary"]
    assert (summary["stagesRun"], summary["stagesFailed"]) == (2, 1)


def test_detail_of_cancel(rest: httpx.Client, run: Run, ended: Ended) -> None:
    """A cancelled execution's interrupted stage is failed, with the word Cancelled."""
    id = run("waiting")
    eventually(lambda: rest.get(f"/api/executions/{id}").json()["stages"][0].get("output"))
    rest.post(f"/api/executions/{id}/cancel")
    detail = ended(id)
    assert detail["result"]["status"] == "cancelled"
    assert list(detail["stages"][0]) == [*STAGE, "error", "output"]
    assert (detail["stages"][0]["status"], detail["stages"][0]["error"]) == ("failed", "Cancelled")


def test_long_output_is_cut(run: Run, ended: Ended) -> None:
    """An output of more than 51,200 UTF-16 units is cut there, with a note, and never in a pair."""
    stage, *_ = ended(run("echo", "x" + "😀" * 30_000))["stages"]
    assert stage["output"] == "x" + "😀" * 25_599 + "\n...[output truncated]..."


def test_run_answer(rest: httpx.Client) -> None:
    """A start answers with four keys; the id of the pipeline is its own, not the file's name."""
    answer = rest.post("/api/pipelines/several/run", json={"input": "hello"})
    content = answer.json()
    assert list(content) == ["executionId", "pipelineId", "status", "executionMode"]
    assert (content["pipelineId"], content["status"]) == ("several-v1", "started")
    assert content["executionMode"] == "cli", "the server has no key for the API mode"


def test_cancel_answer(rest: httpx.Client) -> None:
    """A cancel answers with one boolean and 200, also for an id that never was."""
    answer = rest.post("/api/executions/exec_1_abcdef/cancel")
    assert (answer.status_code, answer.json()) == (200, {"cancelled": False})


def test_pipelines(rest: httpx.Client) -> None:
    """The pipelines are a bare array in the order of the files; a description may be absent."""
    listed = rest.get("/api/pipelines").json()
    names = [item["filename"] for item in listed]
    assert names == sorted(names)
    items = {item["id"]: item for item in listed}
    assert items["echo"] == {
        "filename": "echo.ts",
        "id": "echo",
        "name": "Echo",
        "version": "1.0.0",
        "description": "Hands its input on.",
        "stageCount": 1,
        "defaultProvider": "anthropic",
    }
    keys = ["filename", "id", "name", "version", "stageCount", "defaultProvider"]
    assert list(items["several-v1"]) == keys


def test_one_pipeline(rest: httpx.Client) -> None:
    """A pipeline is shown as it was written, with all that the old dashboard reads of a stage."""
    by_id = rest.get("/api/pipelines/several-v1").json()
    assert by_id == rest.get("/api/pipelines/several").json()
    assert by_id["pipeline"] == {"id": "several-v1", "name": "Several stages", "version": "1.2.3"}
    for stage in by_id["stages"]:
        assert stage["prompt"]["variables"] == []
        assert stage["output"]["format"] == "text"
        assert set(stage["model"]) == {"providerID", "modelID"}
    assert by_id["stages"][0]["command"] == ["cat"]
