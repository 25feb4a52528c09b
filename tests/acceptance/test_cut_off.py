"""A reader of an execution that is cut off again and again, and goes on where it was."""

import asyncio
from pathlib import Path
from random import Random

import patience
import pytest
from doors import GraphQLDoor
from runcast.core.live.store import RING_SIZE
from server_process import ServerProcess, serving
from torn_socket import Follower, Message

TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}
LONG = "pipeline: {id: long, name: Has many stages, version: 1.0.0}\nstages:\n" + "".join(
    f"  - {{id: stage-{number}, call: 'acts:passes'}}\n" for number in range(RING_SIZE // 2)
)
ACTS = "async def passes(text):\n    return text\n"

PROGRESS = """
subscription ($id: ID!, $after: String, $whole: Boolean! = false) {
  executionProgress(id: $id, after: $after) {
    event sequence cursor status missedEvents output { stageId offset text }
    execution { sequence status stages @include(if: $whole) { id output { text } } }
  }
}"""
OUTPUT = """query ($id: ID!) {
  execution(id: $id) { output stages { output(limit: 1048576) { text } } }
}"""


class ProgressFollower(Follower):
    """Takes down the events of one execution, and puts the output of its first stage together."""

    def __init__(self, server: ServerProcess, id: str) -> None:
        super().__init__(server.ws_url, PROGRESS, id=id, whole=True)
        self.events: list[str] = []
        self.sequences: list[int] = []
        self.ends: list[int] = []
        self.missed: int | None = None
        self.text = ""

    def take(self, message: Message) -> None:
        super().take(message)
        self.events.append(message["event"])
        self.sequences.append(message["sequence"])
        assert message["execution"]["sequence"] == message["sequence"]
        if message["status"] in TERMINAL:
            self.ends.append(message["sequence"])
        if message["event"] in ("SNAPSHOT", "RESET"):
            self.missed = message["missedEvents"]
            first = message["execution"]["stages"][0]
            self.stage, self.text = first["id"], first["output"]["text"]
            self._variables = self._variables | {"whole": False}
        if (piece := message["output"]) is not None and piece["stageId"] == self.stage:
            assert piece["offset"] == len(self.text)
            self.text += piece["text"]


@pytest.mark.parametrize("cuts", [30, pytest.param(200, marks=pytest.mark.campaign)])
async def test_progress_of_a_run(tmp_path: Path, chance: Random, cuts: int) -> None:
    """Cut off many times, a reader is told of each event once, of the end once, and of no RESET."""
    last_cut = tmp_path / "last cut"
    with serving(tmp_path / "server") as server:
        door = GraphQLDoor(server.client)
        id = door.start("talking", str(last_cut))
        follower = ProgressFollower(server, id)
        for _ in range(cuts):
            await follower.live_a_moment(chance)
        last_cut.touch()
        async with asyncio.timeout(60):
            await follower.follow()
        execution = door.ask(OUTPUT, id=id)["execution"]
    [stage] = execution["stages"]
    lines = int(execution["output"].removesuffix(" lines"))
    assert follower.events[0] == "SNAPSHOT"
    assert set(follower.events[1:]) == {"OUTPUT", "STAGE_CHANGED", "STATUS_CHANGED"}
    first, last = follower.sequences[0], follower.sequences[-1]
    assert follower.sequences == list(range(first, last + 1))
    assert follower.ends == [last]
    assert follower.text == stage["output"]["text"]
    assert follower.text == "".join(f"line {number}\n" for number in range(lines))


async def test_cursor_that_is_too_old(tmp_path: Path) -> None:
    """Of a run of more changes than are kept, the oldest are told by a RESET with its state."""
    (tmp_path / "long.yaml").write_text(LONG)
    (tmp_path / "acts.py").write_text(ACTS)
    with serving(tmp_path, "--pipelines", str(tmp_path)) as server:
        id = GraphQLDoor(server.client).start("long")
        steady, late = ProgressFollower(server, id), ProgressFollower(server, id)
        async with asyncio.timeout(60):
            await steady.follow()
            first, last = steady.sequences[0], steady.sequences[-1]
            late.cursor = str(steady.cursor).replace(f":{last}", f":{first}")
            await late.follow()
    assert "RESET" not in steady.events
    assert last - first > RING_SIZE
    assert (late.events, late.sequences, late.ends) == (["RESET"], [last], [last])
    assert late.missed == last - first


async def test_cursor_of_another_server(tmp_path: Path) -> None:
    """It is unknown: RESET, with the state as it is now; nobody knows what was missed."""
    with serving(tmp_path, "--grace", "1") as server:
        door = GraphQLDoor(server.client)
        id = door.start("waiting")
        follower = ProgressFollower(server, id)
        follower.cursor = "another:1"
        door.cancel(id)
        async with asyncio.timeout(60):
            await follower.follow()
    assert follower.events[0] == "RESET" and follower.missed is None
    assert follower.events.count("RESET") == len(follower.ends) == 1


async def test_run_that_a_restart_has_ended(tmp_path: Path) -> None:
    """The reader is told by a RESET what has become of it, and that there is no more to come."""
    with serving(tmp_path) as server:
        id = GraphQLDoor(server.client).start("waiting")
        lost = ProgressFollower(server, id)
        life = asyncio.create_task(lost.follow())
        await patience.until(lambda: lost.taken)
        server.process.kill()
        await asyncio.wait([life])
        assert not lost.ended and life.exception()
    with serving(tmp_path) as server:
        found = ProgressFollower(server, id)
        found.cursor = lost.cursor
        async with asyncio.timeout(60):
            await found.follow()
            assert found.events == ["RESET"] and len(found.ends) == 1
            await found.follow()
    assert found.events == ["RESET"], "after the cursor of the end there is nothing more"
