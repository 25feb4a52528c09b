"""Nobody works for a client that has gone."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from server_process import ServerProcess, serving

STAGES = 24
EXECUTIONS = 100
NAMES = "id index name type status attempt startTime endTime durationMs skipReason model progress"
PLACES = " ".join(f"a{number}: stages {{ {NAMES} }}" for number in range(30))
QUERY = f"{{ executions {{ {PLACES} }} }}"
"""Within every limit, and some ten seconds of work."""
IDLE_SHARE = 0.3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("gone")
    pipelines = folder / "pipelines"
    pipelines.mkdir()
    stages = [{"id": f"s{number}", "call": "steps:step"} for number in range(STAGES)]
    content = {"pipeline": {"id": "many", "name": "Many"}, "stages": stages}
    (pipelines / "many.yaml").write_text(json.dumps(content))
    (pipelines / "steps.py").write_text("async def step(text):\n    return text\n")
    with serving(folder, "--pipelines", str(pipelines)) as server:
        for _ in range(EXECUTIONS):
            server.client.post("/api/pipelines/many/run", json={"input": "x"})
        eventually(lambda: server.client.get("/api/executions/running").json()["count"] == 0)
        yield server


def used(server: ServerProcess) -> float:
    """Seconds of processor time."""
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.user + times.system)


def is_idle(server: ServerProcess) -> bool:
    """Whether it hardly works, for a while."""
    begun, before = time.monotonic(), used(server)
    time.sleep(0.5)
    return used(server) - before < IDLE_SHARE * (time.monotonic() - begun)


def asked(server: ServerProcess, query: str) -> socket.socket:
    """A connection on which this was asked, and nothing was read."""
    body = json.dumps({"query": query})
    client = socket.create_connection(("127.0.0.1", server.client.base_url.port or 0))
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    client.sendall((head + body).encode())
    return client


def test_a_query_ends_with_its_client(server: ServerProcess) -> None:
    """One that hangs up at once, and twenty of them."""
    eventually(lambda: is_idle(server))
    before = used(server)
    clients = [asked(server, QUERY) for _ in range(20)]
    eventually(lambda: used(server) - before > 0.5)
    for client in clients:
        client.close()
    eventually(lambda: is_idle(server))
    assert used(server) - before < 30, "two hundred seconds of work were asked for"


def test_a_mutation_is_carried_through(server: ServerProcess, tmp_path: Path) -> None:
    """Though its client has hung up: it was asked for."""
    starts = " ".join(
        f'a{number}: startExecution(pipelineId: "many", input: "gone") {{ execution {{ id }} }}'
        for number in range(5)
    )
    asked(server, f"mutation {{ {starts} }}").close()

    def arrived() -> bool:
        rows = server.client.get("/api/executions").json()["executions"]
        return sum(row["inputPreview"] == "gone" for row in rows) == 5

    eventually(arrived)
