"""What a server has started does not outlive it, however the server ends."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, all_gone, is_keeper

COMMANDS = {
    "a-child": "echo begun; exec sleep 600",
    "a-grandchild": "sleep 600 & echo begun; wait",
    "deaf": "trap '' HUP INT QUIT TERM; echo begun; while :; do sleep 0.2; done",
    "leaves-its-group": "setsid sleep 600 & echo begun; wait",
    "leaves-twice": "(setsid sh -c 'sleep 600 & wait' &) ; echo begun; exec sleep 600",
    "clears-its-environment": "exec env -i /bin/sh -c 'echo begun; exec /bin/sleep 600'",
}
FUNCTIONS = {
    "blocks": "time.sleep(600)",
    "starts-some": "subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(600)",
    "stands-still": "time.sleep(0.5); os.kill(os.getpid(), signal.SIGSTOP)",
}
BEGUN = "{ executions { stages { output { text } } } }"


@pytest.fixture
def pipelines(tmp_path: Path) -> Path:
    """One for each way to outlive a server."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    for id, script in COMMANDS.items():
        _put(folder, id, {"command": ["sh", "-c", script]})
    functions = ["import os, signal, subprocess, time"]
    for id, body in FUNCTIONS.items():
        name = id.replace("-", "_")
        functions.append(f"def {name}(input, context):\n    context.emit('begun'); {body}")
        _put(folder, id, {"call": f"outliving_steps:{name}"})
    (folder / "outliving_steps.py").write_text("\n\n\n".join(functions))
    return folder


def _put(folder: Path, id: str, does: dict[str, object]) -> None:
    head = {"id": id, "name": id, "version": "1.0.0"}
    stage = {"id": "stage", "name": "stage", **does}
    (folder / f"{id}.json").write_text(json.dumps({"pipeline": head, "stages": [stage]}))


def everything_begun(server: ServerProcess) -> list[psutil.Process]:
    """Starts every pipeline; all that the server has started, once all of them have begun."""
    door = GraphQLDoor(server.client)
    for id in (*COMMANDS, *FUNCTIONS):
        door.start(id)
    eventually(lambda: str(door.ask(BEGUN)).count("begun") == len(COMMANDS | FUNCTIONS))
    return [server.keeper(), *_sleepers(), *server.children()]


def _sleepers() -> list[psutil.Process]:
    """Also those that are no descendants of the server any more."""
    return [one for one in psutil.process_iter() if _command(one) == ["sleep", "600"]]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGALRM])
def test_killed(
    serve: Callable[..., ServerProcess], pipelines: Path, number: signal.Signals
) -> None:
    """Nothing is left when it is killed, crashes or is ended by a signal that nobody handles."""
    server = serve("--pipelines", str(pipelines))
    family = everything_begun(server)
    server.process.send_signal(number)
    assert server.process.wait(20) == -number
    eventually(lambda: all_gone(family))


def test_told_to_stop(serve: Callable[..., ServerProcess], pipelines: Path) -> None:
    """Nothing is left when it has ended, and what it was kept by has ended before."""
    server = serve("--pipelines", str(pipelines), "--grace", "0.1")
    family = everything_begun(server)
    server.process.terminate()
    server.process.wait(20)
    assert all_gone(family)


def test_killed_after_its_keeper(serve: Callable[..., ServerProcess], pipelines: Path) -> None:
    """A keeper that is killed is replaced by one that knows what runs."""
    server = serve("--pipelines", str(pipelines))
    family = everything_begun(server)
    first = server.keeper()
    first.kill()
    eventually(lambda: [one for one in server.process.children() if is_keeper(one)] != [first])
    eventually(lambda: len([one for one in server.process.children() if is_keeper(one)]) == 1)
    family.append(server.keeper())
    server.process.kill()
    server.process.wait(20)
    eventually(lambda: all_gone(family))
    assert "is replaced" in server.complained


def test_two_servers_are_two_families(serve: Callable[..., ServerProcess], pipelines: Path) -> None:
    """What one has started goes on when the other one is killed."""
    one, other = (serve("--pipelines", str(pipelines)) for _ in range(2))
    everything_begun(one)
    everything_begun(other)
    keeper = one.keeper()
    family = [child for child in other.children() if _command(child) == ["sleep", "600"]]
    one.process.kill()
    one.process.wait(20)
    eventually(lambda: all_gone([keeper]))
    assert family and all(child.is_running() for child in family)
