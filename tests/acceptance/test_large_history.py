"""Pages of large records: a list reads little of them, and none takes the memory of all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from deadlines import eventually
from doors import GraphQLDoor
from runcast.core.execution.model import Status
from runcast.core.history import FILE_NAME
from runcast.core.history.file import HistoryFile
from samples import an_execution
from server_process import ServerProcess, serving
from virtual_clock import EPOCH_MS, VirtualClock

NUMBER = 150
VALUE = "x" * 250_000
STAGES = tuple(f"stage{number}" for number in range(4))
LIST = """{ executionsConnection(includeHistory: true, first: 150) {
  nodes { id status totalStages usage { costUsd } stages { id status } inputPreview } } }"""
WHOLE = """{ executionsConnection(includeHistory: true, first: NUMBER) {
  nodes { ...of } } } fragment of on Execution { id text: output stages { id } }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with 150 records of 1 MB."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "data").mkdir()
    file = HistoryFile(folder / "data" / FILE_NAME, VirtualClock())
    one = an_execution("exec", *STAGES, output=VALUE, status=Status.COMPLETED)
    one = replace(one, stages=tuple(replace(stage, value=VALUE) for stage in one.stages[1:]))
    for number in range(NUMBER):
        file.write([replace(one, id=f"exec_{number}", ended_at=EPOCH_MS + number)])
    file.close()
    with serving(folder) as server:
        yield server


def memory(server: ServerProcess) -> int:
    return int(server.process.memory_info().rss)


def peak(server: ServerProcess) -> int:
    """The most memory that it had so far, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_a_list_takes_no_memory(server: ServerProcess) -> None:
    """Through either door, though all of it together has 150 MB."""
    GraphQLDoor(server.client).ask("{ server { version } }")
    before = memory(server)
    found = GraphQLDoor(server.client).ask(LIST)["executionsConnection"]["nodes"]
    assert len(found) == NUMBER
    assert all(one["totalStages"] == len(one["stages"]) == 3 for one in found)
    page = server.client.get("/api/executions/history?pageSize=100").raise_for_status().json()
    assert len(page["executions"]) == 100
    assert peak(server) - before < 64 << 20


def test_what_is_asked_for_is_there(server: ServerProcess) -> None:
    """Also by another name, and in a fragment."""
    found = GraphQLDoor(server.client).ask(WHOLE.replace("NUMBER", "20"))
    nodes = found["executionsConnection"]["nodes"]
    assert [one["text"] for one in nodes] == [VALUE] * 20


def test_a_page_that_is_too_large_to_be_whole_is_refused(server: ServerProcess) -> None:
    """In words, before it takes the memory; everybody else is answered."""
    before = memory(server)
    answer = GraphQLDoor(server.client).answer(WHOLE.replace("NUMBER", "150"))
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert "more than 64 MiB: ask for fewer" in error["message"]
    assert peak(server) - before < 160 << 20
    eventually(lambda: server.client.get("/healthz").json() == {"status": "ok"})


def test_the_database_is_bounded_in_bytes(tmp_path: Path) -> None:
    """The oldest executions go; the latest is always there."""
    with serving(tmp_path, "--history-mb", "1", "--retention", "0") as server:
        door = GraphQLDoor(server.client)
        ids = [door.start("echo", f"{number:02}" * 50_000) for number in range(24)]
        eventually(lambda: not door.list())
        history = "/api/executions/history?pageSize=100"
        eventually(lambda: 1 <= server.client.get(history).json()["total"] < 11)
        found = server.client.get(history).json()["executions"]
        assert ids[-1] in {one["id"] for one in found} <= set(ids[12:])
