"""A full disk under logs, values and folders: executions say it, and go on when there is space."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deadlines import eventually
from doors import Door, GraphQLDoor, Refused, RestDoor
from runcast.core.results.result_file import owner_of
from server_process import ServerProcess, serving
from small_disk import full, small_disk

DISK_BYTES = 64 << 20
LARGE = 700_000
WHY = "No space left on device"
EXECUTION = """query ($id: ID!) { execution(id: $id) { status output error { type message } stages {
  id status error { message } output(limit: 1048576) { text isFinal truncated }
  log(limit: 1048576) { pieces { stream text } nextOffset total leftOut isFinal }
} } }"""
FUNCTIONS = """
import asyncio, sys, time
from pathlib import Path

def large(text):
    return "y" * 700_000

async def large_async(text):
    return ["y"] * 200_000

def talks(text):
    folder = Path(text)
    print("before")
    (folder / "begun").touch()
    for step in ("more", "after"):
        while not (folder / step).exists():
            time.sleep(0.01)
        print(f"{step} " + "ü" * 10_000)
        print(f"beside {step}", file=sys.stderr)
        if step == "more":
            (folder / "said").touch()
    return "done"
"""
PRINTS = f"[{sys.executable}, -c, \"print('y' * 700_000)\"]"
PRINTS_JSON = f'[{sys.executable}, -c, "print([1] * 300_000)"]'
STAGES = {
    "command": f"{{id: one, command: {PRINTS}}}, {{id: two, command: [wc, -c]}}",
    "function": '{id: one, call: "steps:large"}, {id: two, command: [wc, -c]}',
    "async": '{id: one, call: "steps:large_async"}, {id: two, command: [wc, -c]}',
    "parsed": f"{{id: one, command: {PRINTS_JSON}, output: {{format: json}}}}, "
    "{id: two, command: [wc, -c]}",
    "folder": "{id: one, cwd: workdir, command: [sh, -c, head -c 700000 /dev/zero > data.txt]}",
    "small": "{id: one, command: [sh, -c, echo said >&2; cat]}",
    "talks": '{id: one, call: "steps:talks"}',
}
SAY_IT = {
    "command": "OSError",
    "function": "OSError",
    "async": "OSError",
    "parsed": "OSError",
    "folder": "ExitStatus",
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], ServerProcess]]:
    """Starts a server whose data is on a small disk; the one before is ended."""
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()
    (pipelines / "steps.py").write_text(FUNCTIONS)
    for name, stages in STAGES.items():
        head = f"pipeline: {{id: {name}, name: {name}, version: 1.0.0}}\n"
        (pipelines / f"{name}.yaml").write_text(f"{head}stages: [{stages}]\n")
    flags = ("--pipelines", str(pipelines), "--data", str(tmp_path / "disk"))
    with small_disk(tmp_path / "disk", DISK_BYTES):
        running: list[Any] = []

        def starting() -> ServerProcess:
            ending(running)
            running.append(serving(tmp_path / "server", *flags))
            server: ServerProcess = running[-1].__enter__()
            return server

        yield starting
        ending(running)


def ending(running: list[Any]) -> None:
    while running:
        running.pop().__exit__(None, None, None)


def seen(server: ServerProcess, id: str) -> dict[str, Any]:
    return dict(GraphQLDoor(server.client).ask(EXECUTION, id=id)["execution"])


def ended(server: ServerProcess, id: str) -> dict[str, Any]:
    return eventually(
        lambda: (one := seen(server, id))["status"] in ("COMPLETED", "FAILED") and one
    )


def problems(server: ServerProcess) -> dict[str, str]:
    health = server.client.get("/healthz").json()
    return dict(health.get("problems", {}))


def test_nothing_is_silently_missing(start: Callable[[], ServerProcess], tmp_path: Path) -> None:
    """Neither while the disk is full, nor when there is space again, nor after a restart."""
    server = start()
    door = GraphQLDoor(server.client)
    check_all_is_well(server)
    talking = door.start("talks", str(tmp_path))
    eventually((tmp_path / "begun").exists)
    with full(tmp_path / "disk"):
        (tmp_path / "more").touch()
        eventually((tmp_path / "said").exists)
        eventually(lambda: problems(server).get("logs") == WHY)
        failed = {door.start(name): error for name, error in SAY_IT.items()}
        for id, error in failed.items():
            check_says_it(ended(server, id), error)
        small = door.start("small", "kept")
        check_small(ended(server, small))
        for way in (door, RestDoor(server.client)):
            check_input_is_refused(way)
        assert problems(server)["logs"] == WHY
        assert {"history", "outputs", "logs"} == problems(server).keys()
        assert problems(server)["outputs"] == f"6 result files are missing: {WHY}"
    (tmp_path / "after").touch()
    check_talking(ended(server, talking))
    check_all_is_well(server)
    eventually(lambda: not problems(server))
    assert not left_open(server, tmp_path / "disk" / "values")
    assert have_files(tmp_path / "disk") == known(server)
    server = start()
    check_talking(seen(server, talking))
    check_small(seen(server, small))
    for id, error in failed.items():
        check_says_it(seen(server, id), error)
    assert not problems(server)


def check_all_is_well(server: ServerProcess) -> None:
    """All of them can be run, and a large input be taken."""
    door = GraphQLDoor(server.client)
    for name in SAY_IT:
        execution = ended(server, door.start(name))
        assert execution["status"] == "COMPLETED", execution["error"]
    assert ended(server, door.start("small", "x" * LARGE))["output"] == "x" * LARGE


def check_says_it(execution: dict[str, Any], error: str) -> None:
    """It has failed, and no other stage was given a part of the value."""
    assert (execution["status"], execution["error"]["type"]) == ("FAILED", error)
    assert WHY in execution["error"]["message"]
    assert all(stage["status"] == "PENDING" for stage in execution["stages"][1:])
    check_note(execution["stages"][0])


def check_note(stage: dict[str, Any]) -> None:
    """The log says how much is missing in it, and ends."""
    log = stage["log"]
    assert log["isFinal"] and log["nextOffset"] == log["total"] >= log["leftOut"] > 0
    notes = [piece["text"] for piece in log["pieces"] if WHY in piece["text"]]
    assert f"\n[{log['leftOut']:,} characters could not be stored: {WHY}]\n" in notes
    assert stage["output"]["isFinal"]


def check_small(execution: dict[str, Any]) -> None:
    """It needs no space, and is completed; of what it said the length is known."""
    assert (execution["status"], execution["output"]) == ("COMPLETED", "kept")
    [stage] = execution["stages"]
    check_note(stage)
    assert (stage["log"]["total"], stage["output"]["truncated"]) == (len("said\nkept"), True)


def check_talking(execution: dict[str, Any]) -> None:
    """It went on all the time, and its log has what was said before and after."""
    assert (execution["status"], execution["output"]) == ("COMPLETED", "done")
    [stage] = execution["stages"]
    check_note(stage)
    stdout = f"more {'ü' * 10_000}\n"
    lost = len(stdout) + len("beside more\n")
    assert stage["log"]["leftOut"] == lost
    text = "".join(piece["text"] for piece in stage["log"]["pieces"])
    note = f"\n[{lost:,} characters could not be stored: {WHY}]\n"
    before, _, after = text.partition(note)
    assert before == "before\n"
    assert sorted(after) == sorted(f"after {'ü' * 10_000}\nbeside after\n")


def check_input_is_refused(door: Door) -> None:
    with pytest.raises(Refused) as refused:
        door.start("small", "x" * LARGE)
    assert refused.value.code == "UNAVAILABLE"
    assert refused.value.message == f"the input cannot be stored: {WHY}"


def known(server: ServerProcess) -> set[str]:
    """The executions of the history."""
    every = server.client.get("/api/executions/history", params={"pageSize": 100}).json()
    assert every["totalPages"] == 1
    return {one["id"] for one in every["executions"]}


def have_files(data: Path) -> set[str]:
    """The executions that have a result file; nothing unfinished is beside them."""
    names = [path.name for path in (data / "outputs").iterdir()]
    assert all(name.startswith("result-") for name in names)
    return set(map(owner_of, names))


def left_open(server: ServerProcess, folder: Path) -> list[str]:
    """The files below a folder that the server has open."""
    opened = (Path(f"/proc/{server.process.pid}/fd")).iterdir()
    return [place for fd in opened if (place := str(fd.readlink())).startswith(str(folder))]
