"""What the old dashboard reads of us, page by page: section 6 of the REST contract."""

import json
from pathlib import Path
from typing import Any

import pytest
from old_client import begun, ended, get, in_history, run, socket, told, types
from server_process import ServerProcess, serving

LIST_ITEM = {
    "id": str,
    "pipelineId": str,
    "pipelineName": str,
    "status": str,
    "startTime": int,
    "currentStage": int,
    "totalStages": int,
    "inputPreview": str,
}
SUMMARY = {
    "stagesRun": int,
    "stagesSkipped": int,
    "stagesFailed": int,
    "totalDuration": int,
    "totalCost": (int, float),
    "totalInputTokens": int,
    "totalOutputTokens": int,
}
ELSEWHERE = "http://dashboard.example:3000"


def has(row: dict[str, Any], fields: dict[str, Any]) -> None:
    for name, type in fields.items():
        assert isinstance(row[name], type), name


def test_side_bar(old: ServerProcess) -> None:
    """It reads only the count, and a refused run leaves it alone."""
    id = run(old, "hang")
    begun(old, id)
    running = get(old, "/api/executions/running")
    assert running["count"] == len(running["executions"]) >= 1
    old.client.post(f"/api/executions/{id}/cancel")
    assert id not in [row["id"] for row in get(old, "/api/executions/running")["executions"]]


def test_dashboard_page(old: ServerProcess) -> None:
    """Pipelines and outputs are bare arrays."""
    assert isinstance(get(old, "/api/outputs"), list)
    pipelines = get(old, "/api/pipelines")
    assert {row["id"] for row in pipelines} == {"one", "six"}
    for row in pipelines:
        has(row, {"filename": str, "id": str, "name": str, "version": str, "stageCount": int})


def test_pipeline_pages_of_the_shipped_ones(tmp_path: Path) -> None:
    """Every row can be opened, whatever kind its stage is of."""
    shipped = Path(__file__).parents[2] / "core" / "shipped"
    with serving(tmp_path, "--pipelines", str(shipped)) as server:
        for row in get(server, "/api/pipelines"):
            written = get(server, f"/api/pipelines/{row['id']}")
            has(written["pipeline"], {"id": str, "name": str, "version": str, "description": str})
            assert len(written["stages"]) == row["stageCount"]
            for stage in written["stages"]:
                has(stage, {"id": str, "name": str, "type": str, "description": str})
                has(stage["model"], {"providerID": str, "modelID": str})
                has(stage["prompt"], {"template": str, "variables": list})
                has(stage["output"], {"format": str})
            stem = row["filename"].removesuffix(".ts")
            assert get(server, f"/api/pipelines/{stem}") == written


def test_run_form(old: ServerProcess) -> None:
    """It needs all three tools, and shows the text of an error as it is."""
    status = get(old, "/api/config/status")
    assert isinstance(status["hasApiKey"], bool)
    assert set(status["cliTools"]) == {"claude", "opencode", "aider"}
    assert all(isinstance(tool["available"], bool) for tool in status["cliTools"].values())
    assert status["cliTools"]["claude"]["available"]
    refused = old.client.post("/api/pipelines/one/run", json={"input": " "})
    assert refused.json() == {"error": "Input is required and must be a non-empty string"}


def test_live_panel(old: ServerProcess) -> None:
    """Every stage is announced before anything else is said of it, and the end has its numbers."""
    id = run(old, "hello", "six")
    events = told(old, id)
    assert types(events[:3]) == ["subscribed", "execution:started", "stage:started"]
    has(events[1], {"pipelineId": str, "pipelineName": str, "stageCount": int})
    has(events[2], {"stage": dict, "index": int, "total": int})
    announced: set[str] = set()
    for event in events[2:-1]:
        stage = event["stageId"] if event["type"] == "stage:output" else event["stage"]["id"]
        if event["type"] == "stage:started":
            announced.add(stage)
        assert stage in announced
    assert len(announced) == 6
    assert events[-1]["result"]["status"] == "success"
    has(events[-1]["result"]["summary"], SUMMARY)


def test_a_refresh_in_the_middle(old: ServerProcess) -> None:
    """A new page finds the run, catches up on it, and can cancel it."""
    id = run(old, "hang")
    begun(old, id)
    shown = get(old, f"/api/executions/{id}")
    assert shown["status"] == "running" and "result" not in shown
    assert isinstance(shown["stages"], list) and "isHistorical" not in shown
    with socket(old) as page:
        page.send(json.dumps({"type": "subscribe", "executionId": id}))
        caught_up = [json.loads(page.recv(timeout=30)) for _ in range(3)]
        assert types(caught_up) == ["subscribed", "execution:started", "stage:started"]
        old.client.post(f"/api/executions/{id}/cancel")
        rest = [json.loads(page.recv(timeout=30)) for _ in range(2)]
    assert types(rest)[-1] in ("stage:failed", "execution:cancelled")
    assert "execution:cancelled" in types(told(old, id))


def test_executions_page(old: ServerProcess) -> None:
    """All fields of a row are there, and the history's numbers are numbers."""
    id = run(old, "hello")
    [row] = [row for row in get(old, "/api/executions")["executions"] if row["id"] == id]
    assert list(row) == list(LIST_ITEM)
    has(row, LIST_ITEM)
    record = in_history(old, id)
    has(record, {"duration": int, "totalCost": (int, float), "endTime": int, "input": str})
    assert (record["finalOutputType"], record["finalOutput"]) == ("text", "an answer\n")
    page = get(old, "/api/executions/history?page=1&pageSize=20")
    assert (page["page"], page["pageSize"]) == (1, 20)
    ids = [one["id"] for one in get(old, "/api/executions/history?pageSize=10")["executions"]]
    assert len(ids) == len(set(ids)) <= 10


def test_detail_page_of_history(home: Path, tmp_path: Path) -> None:
    """What has left the lists is shown from the history, with its final output."""
    with serving(tmp_path, "--retention", "0") as server:
        id = run(server, pipeline="echo")
        in_history(server, id)
        shown = get(server, f"/api/executions/{id}")
    assert (shown["isHistorical"], shown["stages"]) == (True, [])
    assert shown["result"]["status"] == "completed"
    final = shown["result"]["output"]["_extractedFinalOutput"]
    assert final == {"type": "text", "content": "hello", "label": "Optimized Prompt"}
    has(shown["result"]["summary"], {"totalDuration": int, "totalCost": (int, float)})


def test_outputs_page(old: ServerProcess) -> None:
    """A file has its output as an object and its totals."""
    id = run(old)
    ended(old, id)
    told(old, id)
    [row] = [one for one in get(old, "/api/outputs") if id[5:] in one["filename"]]
    has(row, {"filename": str, "pipelineId": str, "status": str, "timestamp": str})
    content = get(old, f"/api/outputs/{row['filename']}")
    assert isinstance(content["output"], dict)
    has(content["summary"], SUMMARY)


@pytest.mark.parametrize("origin", [ELSEWHERE, "http://another.example"])
def test_served_from_elsewhere(tmp_path: Path, origin: str) -> None:
    """The pages of an origin that was allowed can do everything, those of others nothing."""
    allowed = origin == ELSEWHERE
    with serving(tmp_path, "--allow-origin", ELSEWHERE) as server:
        headers = {"Origin": origin}
        started = server.client.post(
            "/api/pipelines/echo/run", json={"input": "x"}, headers=headers
        )
        assert started.status_code == (200 if allowed else 403)
        read = server.client.get("/api/executions", headers=headers).headers
        assert read.get("access-control-allow-origin") == (ELSEWHERE if allowed else None)
        asked = {"Access-Control-Request-Method": "POST", **headers}
        asked["Access-Control-Request-Headers"] = "content-type"
        preflight = server.client.options("/api/pipelines/echo/run", headers=asked)
        assert preflight.is_success is allowed
