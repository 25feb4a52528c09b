"""An execution that waits for its turn does not seem to run, nor ever to have run."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from deadlines import eventually
from doors import GraphQLDoor, RestDoor, Row
from server_process import ServerProcess

WAIT_SECONDS = 1.5
ONE = """query ($id: ID!) { execution(id: $id) {
  status startTime endTime queuedMs durationMs stages { startTime durationMs } } }"""
LONGEST = """query ($history: Boolean!) { executionsConnection(
  includeHistory: $history, orderBy: {field: DURATION}) { nodes { id durationMs queuedMs } } }"""


@pytest.fixture
def server(serve: Callable[..., ServerProcess]) -> ServerProcess:
    """It runs one at a time, and knows ended ones by its history only."""
    return serve("--max-concurrent", "1", "--retention", "0", "--grace", "1")


def shown(server: ServerProcess, id: str) -> Row:
    found: Row = GraphQLDoor(server.client).ask(ONE, id=id)["execution"]
    return found


def ended(server: ServerProcess, id: str) -> Row:
    return eventually(lambda: (found := shown(server, id))["endTime"] and found)


def rest(server: ServerProcess, path: str, **params: Any) -> Any:
    return server.client.get(path, params=params).raise_for_status().json()


def test_waiting_and_running_are_told_apart(server: ServerProcess) -> None:
    """While it waits, while it runs, and afterwards through every door."""
    door = RestDoor(server.client)
    first = door.start("shell")
    second = door.start("shell")
    third = door.start("echo")
    eventually(lambda: shown(server, third)["queuedMs"] >= WAIT_SECONDS * 1000)
    waits = shown(server, third)
    assert (waits["status"], waits["durationMs"]) == ("QUEUED", 0)
    assert shown(server, first)["queuedMs"] < 1000 < shown(server, first)["durationMs"]
    assert rest(server, f"/api/executions/{third}")["queuedMs"] >= waits["queuedMs"]
    # One leaves the queue without ever having run.
    door.cancel(second)
    never = ended(server, second)
    assert never["queuedMs"] >= waits["queuedMs"]
    assert never["durationMs"] == 0
    door.cancel(first)
    ran = ended(server, third)
    assert ran["queuedMs"] >= never["queuedMs"]
    assert 0 < ran["durationMs"] < WAIT_SECONDS * 1000
    began, ends = (datetime.fromisoformat(ran[one]) for one in ("startTime", "endTime"))
    whole = (ends - began).total_seconds() * 1000
    assert round(whole) == ran["queuedMs"] + ran["durationMs"]
    check_rest(server, third, ran)
    check_file(server, third, ran)
    check_order(server, [first, third, second])


def check_rest(server: ServerProcess, id: str, ran: Row) -> None:
    """The old words mean the time in which it ran, and a new one the time before."""
    detail = rest(server, f"/api/executions/{id}")
    assert detail["isHistorical"]
    assert detail["queuedMs"] == ran["queuedMs"]
    assert detail["result"]["summary"]["totalDuration"] == ran["durationMs"]
    listed = rest(server, "/api/executions/history")["executions"]
    [record] = [one for one in listed if one["id"] == id]
    assert (record["queuedMs"], record["duration"]) == (ran["queuedMs"], ran["durationMs"])


def check_file(server: ServerProcess, id: str, ran: Row) -> None:
    files = eventually(lambda: [one for one in rest(server, "/api/outputs") if is_of(one, id)])
    assert files[0]["duration"] == ran["durationMs"]
    content = rest(server, f"/api/outputs/{files[0]['filename']}")
    assert content["queuedMs"] == ran["queuedMs"]
    assert content["summary"]["totalDuration"] == ran["durationMs"]


def is_of(file: Row, id: str) -> bool:
    return id.removeprefix("exec_") in file["filename"]


def check_order(server: ServerProcess, ids: list[str]) -> None:
    """The longest runs come first, however long they waited."""
    nodes = GraphQLDoor(server.client).ask(LONGEST, history=True)["executionsConnection"]["nodes"]
    assert [node["id"] for node in nodes] == ids
    lasted = [node["durationMs"] for node in nodes]
    assert lasted == sorted(lasted, reverse=True)


def test_a_restart_does_not_change_it(
    server: ServerProcess, serve: Callable[..., ServerProcess]
) -> None:
    """What waited when the server was killed has waited, and what ran has run."""
    door = RestDoor(server.client)
    runs, waits = door.start("shell"), door.start("echo")
    eventually(lambda: shown(server, waits)["queuedMs"] > 500)
    left = server.children()
    server.process.kill()
    server.process.wait(20)
    for child in left:
        child.kill()
    killed = time.monotonic()
    again = serve("--data", str(server.data))
    longest = (time.monotonic() - killed) * 1000 + 30_000
    ran, waited = shown(again, runs), shown(again, waits)
    assert ran["queuedMs"] < 500 < ran["durationMs"] < longest
    assert waited["durationMs"] == 0
    assert 500 < waited["queuedMs"] < longest
    assert ran["status"] == waited["status"] == "FAILED"
