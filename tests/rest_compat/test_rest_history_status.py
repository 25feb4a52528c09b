"""`/api/executions/history?status=`: the same words as in the list."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import serving

HISTORY = "/api/executions/history"


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server: three have completed, two failed, one was cancelled, one runs."""
    with serving(tmp_path_factory.mktemp("status"), "--grace", "1") as server:
        door = GraphQLDoor(server.client)
        for pipeline in ("echo", "failing", "echo", "failing", "echo"):
            door.start(pipeline)
        cancelled, runs = door.start("waiting"), door.start("waiting")
        door.cancel(cancelled)
        eventually(lambda: len(door.running()) == 1 and len(door.list("cancelled")) == 1)
        eventually(lambda: server.client.get(HISTORY).json()["total"] == 6)
        yield server.client
        door.cancel(runs)


@pytest.mark.parametrize(
    ("statuses", "number"),
    [
        (["completed"], 3),
        (["failed"], 2),
        (["cancelled"], 1),
        (["running"], 0),
        (["failed", "cancelled"], 3),
        (["failed", "failed"], 2),
        (["running", "completed"], 3),
        ([], 6),
    ],
    ids=str,
)
def test_a_known_status_narrows_it(rest: httpx.Client, statuses: list[str], number: int) -> None:
    """The executions, the total and the number of pages."""
    found: list[dict[str, Any]] = []
    for page in range(1, number + 2):
        params = [("status", status) for status in statuses]
        answer = rest.get(HISTORY, params=[*params, ("page", page), ("pageSize", 2)]).json()
        assert (answer["total"], answer["totalPages"]) == (number, -(-number // 2))
        found += answer["executions"]
    assert len({one["id"] for one in found}) == len(found) == number
    assert {one["status"] for one in found} <= set(statuses or ["completed", "failed", "cancelled"])


@pytest.mark.parametrize("path", [HISTORY, "/api/executions"])
@pytest.mark.parametrize("status", ["bogus", "", "FAILED", "failed ", "failed,completed", "queued"])
def test_another_word_is_refused(rest: httpx.Client, path: str, status: str) -> None:
    """With 400, and with the words that there are."""
    answer = rest.get(path, params=[("status", "failed"), ("status", status)])
    assert answer.status_code == 400
    assert answer.json() == {
        "error": f"unknown status {status!r}: use one of running, completed, failed, cancelled"
    }
