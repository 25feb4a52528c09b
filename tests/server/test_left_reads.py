"""Reads of the history whose clients have gone: they end, and nobody else waits for them."""

import json
import socket
import time
from collections.abc import Iterator

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from runcast.core.execution.model import Status
from runcast.core.history import FILE_NAME
from runcast.core.history.file import HistoryFile
from samples import an_execution
from server_process import ServerProcess, serving
from virtual_clock import EPOCH_MS, VirtualClock

NUMBER = 250
LARGE = "x" * 100_000
ALL = """{ executionsConnection(includeHistory: true, first: 250, filter: {text: "TEXT"}) {
  nodes { id input stages { id output { text } } } } }"""
OTHER = "{ executionsConnection(includeHistory: true, first: 1) { totalCount } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with many large records."""
    folder = tmp_path_factory.mktemp("left")
    (folder / "data").mkdir()
    file = HistoryFile(folder / "data" / FILE_NAME, VirtualClock())
    for start in range(0, NUMBER, 50):
        file.write(
            [
                an_execution(
                    f"exec_{number}",
                    input=LARGE,
                    status=Status.COMPLETED,
                    ended_at=EPOCH_MS + number,
                )
                for number in range(start, start + 50)
            ]
        )
    file.close()
    with serving(folder) as server:
        yield server


def request(server: ServerProcess, how: str) -> bytes:
    """What asks for the whole of many records."""
    host = f"Host: 127.0.0.1:{server.client.base_url.port}\r\n"
    if how == "REST":
        return f"GET /api/executions/history?pageSize=100 HTTP/1.1\r\n{host}\r\n".encode()
    body = json.dumps({"query": ALL.replace("TEXT", "exec")})
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /graphql HTTP/1.1\r\n{host}{head}\r\n{body}".encode()


def busy_seconds(server: ServerProcess) -> float:
    """Processor time so far, once nothing is being worked on."""
    seen = [-1.0]

    def is_idle() -> bool:
        times = server.process.cpu_times()
        seen.append(times.user + times.system)
        time.sleep(0.2)
        return seen[-1] - seen[-2] < 0.02

    eventually(is_idle)
    return seen[-1]


@pytest.mark.parametrize("how", ["REST", "GraphQL"])
def test_twenty_that_hang_up_at_once_make_nobody_wait(server: ServerProcess, how: str) -> None:
    """What they asked for is not read to its end; other reads are answered as ever."""
    door = GraphQLDoor(server.client)
    asked = request(server, how)
    port = server.client.base_url.port
    before = busy_seconds(server)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(asked)
        assert client.recv(1 << 16)
    one = busy_seconds(server) - before
    before = busy_seconds(server)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(asked)
            time.sleep(0.01)  # the server is to begin with it
    assert door.ask(OTHER)["executionsConnection"]["totalCount"] == NUMBER
    assert busy_seconds(server) - before < 10 * one + 0.5
    assert "Traceback" not in server.complained


def test_events_of_what_only_the_history_has(server: ServerProcess) -> None:
    """Its end: a snapshot, and `end`. What nobody knows is still 404."""
    answer = server.client.get("/api/executions/exec_7/events").raise_for_status()
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.splitlines()
    assert [one for one in lines if one.startswith("event:")] == ["event: snapshot", "event: end"]
    [last] = {one.removeprefix("id: ") for one in lines if one.startswith("id:")}
    again = server.client.get("/api/executions/exec_7/events", headers={"Last-Event-ID": last})
    assert [one for one in again.text.splitlines() if "event:" in one] == ["event: end"]
    assert server.client.head("/api/executions/exec_7/events").status_code == 200
    assert server.client.get("/api/executions/exec_none/events").status_code == 404
    wrong = server.client.get("/api/executions/exec_7/events?after=nonsense")
    assert wrong.status_code == 400
