"""What the processes that a server starts inherit."""

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, reads_pipelines

WITH_SPARE_ONES = ("sh", "-c", 'exec "$@" 7</etc/hostname 9>>/dev/null', "sh")
STREAMS = {0, 1, 2}
STAGES = {
    "command": {"command": ["sh", "-c", "echo begun; exec sleep 600"]},
    "function": {"call": "open_files:inherited"},
}
FUNCTIONS = """
import subprocess, time

def inherited(input, context):
    child = subprocess.Popen(["sleep", "600"], close_fds=False)
    context.emit("begun")
    time.sleep(600)
"""


@pytest.fixture
def server_with_spare_ones(serve: Callable[..., ServerProcess], tmp_path: Path) -> ServerProcess:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "open_files.py").write_text(FUNCTIONS)
    for id, does in STAGES.items():
        head, stage = {"id": id, "name": id, "version": "1.0.0"}, {"id": "stage", **does}
        (folder / f"{id}.json").write_text(json.dumps({"pipeline": head, "stages": [stage]}))
    return serve("--pipelines", str(folder), within=WITH_SPARE_ONES)


def test_programs_inherit_0_1_and_2(server_with_spare_ones: ServerProcess) -> None:
    """The keeper, what reads files, a command, and what a function starts; a worker one more."""
    server = server_with_spare_ones
    reading = [one for one in server.process.children() if reads_pipelines(one)]
    # They open files of their own, now and then.
    eventually(lambda: all(_open(one) == STREAMS for one in reading))
    door = GraphQLDoor(server.client)
    for id in STAGES:
        door.start(id)
    begun = "{ executions { stages { output { text } } } }"
    eventually(lambda: str(door.ask(begun)).count("begun") == len(STAGES))
    assert _open(server.keeper()) == STREAMS
    sleepers = [child for child in server.children() if child.name() == "sleep"]
    assert [_open(sleeper) for sleeper in sleepers] == [STREAMS, STREAMS]
    workers = [child for child in server.children() if child.name() != "sleep"]
    assert workers
    eventually(lambda: all(len(_open(worker) - STREAMS) == 1 for worker in workers))


def _open(process: psutil.Process) -> set[int]:
    try:
        return {int(entry.name) for entry in Path(f"/proc/{process.pid}/fd").iterdir()}
    except FileNotFoundError:
        return STREAMS  # It has ended.
