"""kill -9 while logs are written: what was written is there, and says that it ends there."""

import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from server_process import ServerProcess, serving

STAGES = """query ($id: ID!) { execution(id: $id) { status endReason stages {
  id status attempt attempts { number status endTime error { type } }
  output(limit: 1048576) { text isFinal truncated }
  log(limit: 65536) { pieces { offset stream text } nextOffset total leftOut isFinal }
} } }"""
CUT_OFF = "the server went away here\n"
KINDS = ("command", "sync", "async")
FUNCTIONS = """
import asyncio, sys

def say(number):
    print(f"line {number} ü😀")
    print(f"beside {number}", file=sys.stderr)

def sync(text):
    for number in range(1_000_000):
        say(number)

async def asynchronous(text):
    for number in range(1_000_000):
        say(number)
        await asyncio.sleep(0)
"""
PROGRAM = "import says; says.sync('')"
HEAD = "pipeline: {{id: {0}, name: {0}, version: 1.0.0}}\nstages:\n"
FILES = {
    "says.py": FUNCTIONS,
    "command.yaml": f'  - {{id: say, command: [{sys.executable}, -c, "{PROGRAM}"]}}\n',
    "sync.yaml": '  - {id: say, call: "says:sync"}\n',
    "async.yaml": '  - {id: say, call: "says:asynchronous"}\n',
    "again.yaml": "  - {id: say, command: [sh, -c, echo said; exit 3], retryCount: 1, "
    "retryDelayMs: 30000}\n",
}

Ends = dict[str, tuple[bytes, dict[str, Any]]]
"""By the execution's id: the whole log, and what is told of its stage."""


@pytest.fixture
def pipelines(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    for name, content in FILES.items():
        head = HEAD.format(name.removesuffix(".yaml")) if name.endswith(".yaml") else ""
        (folder / name).write_text(head + content)
    return folder


def stage_of(server: ServerProcess, id: str) -> dict[str, Any]:
    [stage] = GraphQLDoor(server.client).ask(STAGES, id=id)["execution"]["stages"]
    return dict(stage)


def heard_until_killed(server: ServerProcess, ids: list[str], seconds: float) -> list[bytes]:
    """What followers were told of the logs, of a server that was killed so long after they began"""
    heard = [bytearray() for _ in ids]
    begun = threading.Barrier(len(ids) + 1)

    def follow(id: str, into: bytearray) -> None:
        path = f"/api/executions/{id}/stages/say/log"
        with (
            suppress(httpx.TransportError),
            server.client.stream("GET", path, params={"follow": "true"}) as answer,
        ):
            for chunk in answer.iter_raw():
                if not into:
                    begun.wait(30)
                into.extend(chunk)

    threads = [threading.Thread(target=follow, args=one) for one in zip(ids, heard, strict=True)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    time.sleep(seconds)  # the random moment
    left = server.children()
    server.process.kill()
    server.process.wait(20)
    for thread in threads:
        thread.join(30)
    for child in left:
        if child.is_running():
            child.kill()
    return [bytes(said) for said in heard]


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.campaign)])
def test_all_that_was_told_is_there(
    tmp_path: Path, pipelines: Path, chance: Random, kills: int
) -> None:
    """To the byte, through every door; after the next kill, and after all, nothing has changed."""
    ends: Ends = {}
    before: Ends = {}
    flags = ("--pipelines", str(pipelines))
    ids: list[str] = []
    heard: list[bytes] = []
    for _ in range(kills):
        with serving(tmp_path / "server", *flags) as server:
            newest = check_cut_off(server, ids, heard)
            check_unchanged(server, before)
            ends |= newest
            before = newest
            ids = [GraphQLDoor(server.client).start(kind) for kind in KINDS]
            for id in ids:
                eventually(lambda id=id: stage_of(server, id)["log"]["total"])
            heard = heard_until_killed(server, ids, chance.uniform(0, 0.5))
    with serving(tmp_path / "server", *flags) as server:
        check_unchanged(server, ends)
        check_cut_off(server, ids, heard)


def check_cut_off(server: ServerProcess, ids: list[str], heard: list[bytes]) -> Ends:
    """What each log is, and what is told of its stage."""
    return {id: check_log(server, id, said) for id, said in zip(ids, heard, strict=True)}


def check_log(server: ServerProcess, id: str, heard: bytes) -> tuple[bytes, dict[str, Any]]:
    stage = stage_of(server, id)
    assert (stage["status"], stage["attempts"][0]["status"]) == ("FAILED", "FAILED")
    assert stage["attempts"][0]["error"] == {"type": "ServerRestart"}
    whole = server.client.get(f"/api/executions/{id}/stages/say/log").content
    assert whole.startswith(heard)
    assert whole.endswith(CUT_OFF.encode()) and whole.count(CUT_OFF.encode()) == 1
    text = whole.decode()
    log = stage["log"]
    assert (log["total"], log["leftOut"]) == (len(text), 0)
    assert "".join(piece["text"] for piece in log["pieces"]) == text[: log["nextOffset"]]
    check_numbered(server, id)
    stdout = server.client.get(f"/api/executions/{id}/stages/say/log?stream=stdout").text
    assert stage["output"]["text"] == stdout[: 1 << 20]
    assert stage["output"]["isFinal"] is (len(stdout) <= 1 << 20)
    return whole, stage


def check_numbered(server: ServerProcess, id: str) -> None:
    """No line is missing but at the end, and the last one alone may be cut."""
    for stream, line in (("stdout", "line {} ü😀\n"), ("stderr", "beside {}\n")):
        path = f"/api/executions/{id}/stages/say/log?stream={stream}"
        said = server.client.get(path).text
        count = said.count("\n")
        assert count > 0
        whole = "".join(line.format(number) for number in range(count + 1))
        assert whole.startswith(said)


def check_unchanged(server: ServerProcess, ends: Ends) -> None:
    for id, (whole, stage) in ends.items():
        assert server.client.get(f"/api/executions/{id}/stages/say/log").content == whole
        assert stage_of(server, id) == stage


def test_an_attempt_that_was_over_was_not_cut_off(tmp_path: Path, pipelines: Path) -> None:
    """The stage waited for the next one when the server was killed."""
    flags = ("--pipelines", str(pipelines))
    with serving(tmp_path / "server", *flags) as server:
        id = GraphQLDoor(server.client).start("again")
        said = "said\nattempt 1 of 2 failed: ExitStatus: exit status 3\nattempt 2 begins in 30 s\n"
        eventually(lambda: stage_of(server, id)["log"]["total"] == len(said))
        eventually(lambda: stage_of(server, id)["attempts"][0]["endTime"])
        # What has happened before a start that is acknowledged is on disk.
        GraphQLDoor(server.client).start("again")
        server.process.kill()
        server.process.wait(20)
    with serving(tmp_path / "server", *flags) as server:
        stage = stage_of(server, id)
        assert server.client.get(f"/api/executions/{id}/stages/say/log").text == said
    assert [(one["number"], one["status"], one["error"]) for one in stage["attempts"]] == [
        (1, "FAILED", {"type": "ExitStatus"})
    ]
    assert stage["output"] == {"text": "said\n", "isFinal": True, "truncated": False}
