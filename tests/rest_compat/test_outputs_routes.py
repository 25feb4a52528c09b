"""`/api/outputs` over a real connection: section 3 of the REST contract."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from old_door import Door, door
from runcast.core.execution.model import EndReason, Status
from runcast.core.results.outputs import Outputs
from samples import an_execution

NAME = "result-demo-1970-01-01T00-00-02-1_a.json"


def save(folder: Path, id: str = "exec_1_a", ended_at: int = 2000, **values: Any) -> str:
    ended = {"status": Status.COMPLETED, "end_reason": EndReason.FINISHED}
    ended |= {"began_at": 1500, "ended_at": ended_at}
    return Outputs(folder).save(an_execution(id, **(ended | values)))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Door]:
    """A server with one result, beside a file that is nobody's business."""
    save(tmp_path / "outputs")
    (tmp_path / "secret.json").write_text('"secret"')
    (tmp_path / "outputs" / "execution-history.json").write_text('["secret"]')
    async with door(outputs=tmp_path / "outputs") as one:
        yield one


async def test_the_list_is_a_bare_array_newest_first(served: Door, tmp_path: Path) -> None:
    """Each with the keys that the dashboard's page shows."""
    save(tmp_path / "outputs", "exec_2_b", 3000, status=Status.FAILED)
    newer, older = (await served.client.get("/api/outputs")).json()
    assert older == {
        "filename": NAME,
        "pipelineId": "demo",
        "status": "success",
        "timestamp": "1970-01-01T00:00:02.000Z",
        "duration": 500,
        "cost": 0.0,
        "stagesRun": 0,
        "stagesSkipped": 0,
        "stagesFailed": 0,
    }
    assert newer["status"] == "failed"


async def test_without_a_folder_the_list_is_empty() -> None:
    """The old server answers 500 there, and its page says Loading for ever."""
    async with door() as served:
        answer = await served.client.get("/api/outputs")
    assert (answer.status_code, answer.json()) == (200, [])


async def test_a_file_is_answered_as_it_is(served: Door, tmp_path: Path) -> None:
    """As an attachment that no browser takes for a page."""
    answer = await served.client.get(f"/api/outputs/{NAME}")
    assert answer.content == (tmp_path / "outputs" / NAME).read_bytes()
    assert answer.json()["summary"]["totalInputTokens"] == 0
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_unknown_file_is_not_found(served: Door) -> None:
    """The text that clients know."""
    answer = await served.client.get("/api/outputs/result-nobody.json")
    assert (answer.status_code, answer.json()) == (404, {"error": "Output not found"})


@pytest.mark.parametrize(
    "path",
    [
        "/api/outputs/execution-history.json",
        "/api/outputs/../secret.json",
        "/api/outputs/%2e%2e/secret.json",
        "/api/outputs/..%2fsecret.json",
        "/api/outputs/..%2Fsecret.json",
        "/api/outputs/%2e%2e%2fsecret.json",
        "/api/outputs/..%5csecret.json",
        "/api/outputs/..\\secret.json",
        "/api/outputs/%252e%252e%252fsecret.json",
        "/api/outputs//../secret.json",
        "/api/outputs//etc/passwd",
        "/api/outputs/%2fetc%2fpasswd",
        "/api/outputs/result-a%2f..%2f..%2fsecret.json",
        "/api/outputs/result-%2e%2e%2fsecret.json",
        "/api/outputs/result-a.json%00",
        "/api/outputs/result-a.json%0a",
        "/api/outputs/./execution-history.json",
        "/api/outputs/",
        f"/api/outputs/{NAME}/",
        f"/api/outputs/{NAME}/..%2fexecution-history.json",
        "http://127.0.0.1/api/outputs/..%2fsecret.json",
    ],
)
async def test_no_path_leads_out_of_the_folder(served: Door, path: str) -> None:
    """Sent raw, as no client library would: 404 with an error, and no secret."""
    answer = await served.raw(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    )
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 404 ")
    assert list(json.loads(body)) == ["error"]


async def test_a_link_out_of_the_folder_is_not_followed(served: Door, tmp_path: Path) -> None:
    """Whoever may write there cannot publish what lies elsewhere."""
    (tmp_path / "outputs" / "result-link.json").symlink_to(tmp_path / "secret.json")
    answer = await served.client.get("/api/outputs/result-link.json")
    assert answer.status_code == 404
    assert len((await served.client.get("/api/outputs")).json()) == 1
