"""A server that is the first process of a container."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from needs import need
from server_process import ENDS_SOON, ServerProcess

CONTAINER = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
STAGE = "  - {{id: {id}, command: [sh, -c, {script!r}]}}\n"
SCRIPTS = {
    "orphans": "(sleep 0.1 &) ; (true &) ; setsid sh -c 'sleep 0.1 & true' & echo left",
    "statuses": 'for n in 1 2 3; do sh -c "exit $n"; done; exit 7',
    "lasts": "echo begun; exec sleep 600",
}


def _can_unshare() -> bool:
    tried = (*CONTAINER, "true")
    return shutil.which("unshare") is not None and not subprocess.run(tried, check=False).returncode


@pytest.fixture
def contained(serve: Callable[..., ServerProcess], tmp_path: Path) -> ServerProcess:
    need(_can_unshare(), "a namespace of processes (unshare, and root)")
    folder = tmp_path / "pipelines"
    folder.mkdir()
    for id, script in SCRIPTS.items():
        head = f"pipeline: {{id: {id}, name: {id}, version: 1.0.0}}\nstages:\n"
        (folder / f"{id}.yaml").write_text(head + STAGE.format(id=id, script=script))
    return serve("--pipelines", str(folder), within=CONTAINER, hurry=ENDS_SOON)


def process_1(server: ServerProcess) -> psutil.Process:
    """As it is seen from outside."""
    [first] = server.process.children()
    return first


def zombies(server: ServerProcess) -> list[psutil.Process]:
    every = server.process.children(recursive=True)
    return [one for one in every if one.status() == psutil.STATUS_ZOMBIE]


def end(server: ServerProcess, pipeline: str) -> dict[str, object]:
    """How an execution ends."""
    door = GraphQLDoor(server.client)
    id = door.start(pipeline)
    ask = "query($id: ID!) { execution(id: $id) { status endTime error { message } } }"
    eventually(lambda: door.ask(ask, id=id)["execution"]["endTime"])
    found: dict[str, object] = door.ask(ask, id=id)["execution"]
    return found


def test_orphans_are_reaped(contained: ServerProcess) -> None:
    """What stages leave behind does not stay as zombies."""
    for _ in range(5):
        assert end(contained, "orphans")["status"] == "COMPLETED"
    eventually(lambda: not zombies(contained))


def test_no_exit_status_is_taken(contained: ServerProcess) -> None:
    """Neither from a stage's program nor from the programs that it waits for itself."""
    for _ in range(20):
        failed = end(contained, "statuses")
        assert failed["status"] == "FAILED"
        assert failed["error"] == {"message": "exit status 7"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_reach_the_server(contained: ServerProcess, number: signal.Signals) -> None:
    """It ends as it does elsewhere, and the exit status of process 1 says by which signal."""
    door = GraphQLDoor(contained.client)
    door.start("lasts")
    eventually(lambda: "begun" in str(door.ask("{ executions { stages { output { text } } } }")))
    first, everything = process_1(contained), contained.process.children(recursive=True)
    os.kill(first.pid, number)
    ended_by = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
    assert contained.process.wait(20) in (128 + ended_by, 0)
    eventually(lambda: not any(one.is_running() for one in everything))
