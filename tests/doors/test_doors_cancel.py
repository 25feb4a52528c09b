"""Cancelling: once, for good, and until nothing of the stage is left."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from deadlines import eventually
from doors import Door, GraphQLDoor
from server_process import ServerProcess, all_gone, serving
from stage_attempts import left_of
from subscriptions import Message, check_progress, connected, until, until_begun

Start = Callable[..., str]
Opening = Callable[[ServerProcess], Door]

GRACE = 1.0
SLACK = 4.0
"""For a machine that does other things, too."""

FACTS = """query ($id: ID!) { execution(id: $id) {
  status endReason cancellation { forced stageId stoppedAfterMs reason } stages { status }
} }"""


def settled(door: Door, id: str) -> bool:
    return id not in [row["id"] for row in door.running()]


def test_true_once(door: Door, start: Start) -> None:
    """The first cancel of a running execution is accepted, and no other."""
    id = start("waiting")
    assert door.cancel(id) == "CANCELLED"
    assert door.cancel(id) in ("REFUSED", "CONFLICT", "ALREADY_ENDED")


def test_true_once_of_many(door: Door, start: Start) -> None:
    """Of many cancels at once exactly one is accepted."""
    id = start("waiting")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(door.cancel, [id] * 24))
    assert answers.count("CANCELLED") == 1


def test_leaves_the_running_list_at_once(door: Door, start: Start) -> None:
    """A cancelled execution does not run any more, as soon as the cancel is answered."""
    id = start("shell")
    door.cancel(id)
    assert settled(door, id)
    assert [row["status"] for row in door.list() if row["id"] == id] == ["cancelled"]


def test_ended(door: Door, start: Start) -> None:
    """What has ended cannot be cancelled, and stays as it was."""
    id = start("echo")
    eventually(lambda: settled(door, id))
    assert door.cancel(id) in ("REFUSED", "ALREADY_ENDED")
    assert [row["status"] for row in door.list() if row["id"] == id] == ["completed"]


def test_unknown_id(door: Door) -> None:
    """What never was cannot be cancelled."""
    assert door.cancel("exec_1_abcdef") in ("REFUSED", "NOT_FOUND")


@pytest.fixture(scope="module")
def lone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose children are all of one test's making."""
    folder = tmp_path_factory.mktemp("lone")
    with serving(folder, "--grace", str(GRACE), "--max-concurrent", "1") as server:
        yield server


async def begun_and_cancelled(
    server: ServerProcess, opening: Opening, pipeline: str
) -> tuple[list[Message], float]:
    """Starts, waits for the stage's first output, cancels; the messages, and how long it took."""
    door = opening(server)
    id = door.start(pipeline, "stop me")
    async with connected(server.ws_url) as socket:
        messages: AsyncIterator[Message] = socket.progress(id)
        seen = await until_begun(messages)
        asked = time.monotonic()
        assert door.cancel(id) == "CANCELLED"
        seen += await until(messages, status="CANCELLED")
        took = time.monotonic() - asked
        async for message in messages:
            raise AssertionError(f"after the end: {message}")
    return seen, took


@pytest.mark.parametrize(
    ("pipeline", "within"),
    [
        ("waiting", GRACE + SLACK),
        ("shell", GRACE + SLACK),
        ("stubborn", GRACE + SLACK),
        ("blocking", GRACE + SLACK),
    ],
)
async def test_stops_what_runs(
    lone_server: ServerProcess, opening: Opening, pipeline: str, within: float
) -> None:
    """CANCELLED comes in time, in order, and then nothing of the stage is left."""
    messages, took = await begun_and_cancelled(lone_server, opening, pipeline)
    check_progress(messages)
    assert took < within
    # What the engine says in the log of the stage comes between them.
    *_, asked, stage, ended = [each for each in messages if each["event"] != "OUTPUT"]
    assert (asked["event"], asked["status"]) == ("STATUS_CHANGED", "CANCELLING")
    assert (stage["event"], stage["stage"]["status"]) == ("STAGE_CHANGED", "CANCELLED")
    assert (ended["event"], ended["execution"]["endReason"]) == (
        "STATUS_CHANGED",
        "CANCELLED_BY_USER",
    )
    assert {one["status"] for one in ended["execution"]["stages"]} <= {
        "COMPLETED",
        "CANCELLED",
        "PENDING",
    }


@pytest.mark.parametrize("pipeline", ["shell", "stubborn"])
async def test_leaves_no_process(
    lone_server: ServerProcess, opening: Opening, pipeline: str
) -> None:
    """When CANCELLED is told, the child, its child and theirs have ended already."""
    door = opening(lone_server)
    id = door.start(pipeline, "stop me")
    family = eventually(lambda: _family(id))
    door.cancel(id)
    graphql = GraphQLDoor(lone_server.client)
    facts = eventually(
        lambda: _if_ended(graphql.ask(FACTS, id=id)["execution"]), seconds=GRACE + SLACK
    )
    assert all_gone(family)
    assert facts["cancellation"]["stoppedAfterMs"] < (GRACE + SLACK) * 1000


async def test_ends_the_worker(lone_server: ServerProcess, opening: Opening) -> None:
    """The process in which a function blocks ends with the cancel."""
    door = opening(lone_server)
    idle = {child.pid for child in lone_server.children()}
    id = door.start("blocking", "stop me")
    eventually(lambda: _begun(door, id))
    graphql = GraphQLDoor(lone_server.client)
    workers = lone_server.children()
    door.cancel(id)
    eventually(lambda: _if_ended(graphql.ask(FACTS, id=id)["execution"]), seconds=GRACE + SLACK)
    assert any(all_gone([worker]) for worker in workers), f"{workers}, idle before: {idle}"


def test_stop_is_soon(tmp_path: Path) -> None:
    """Who ends by itself uses nothing of a grace period of 60 seconds, and `force` ends others."""
    with serving(tmp_path, "--grace", "60") as server:
        graphql = GraphQLDoor(server.client)
        for pipeline in ("waiting", "shell"):
            id = graphql.start(pipeline, "stop me")
            eventually(lambda id=id: _begun(graphql, id))
            assert graphql.cancel(id) == "CANCELLED"
            execution = eventually(lambda id=id: _if_ended(graphql.ask(FACTS, id=id)["execution"]))
            assert execution["cancellation"]["forced"] is False
        id = graphql.start("stubborn", "stop me")
        eventually(lambda: _begun(graphql, id))
        assert graphql.cancel(id) == "CANCELLED"
        forced = graphql.ask(FORCE, id=id)["cancelExecution"]
        assert forced["cancelled"] is True
        facts = eventually(lambda: _if_ended(graphql.ask(FACTS, id=id)["execution"]), seconds=10)
        assert facts["cancellation"]["forced"] is True


FORCE = """mutation ($id: ID!) {
  cancelExecution(id: $id, force: true) { cancelled userErrors { code } }
}"""


def _begun(door: Door, id: str) -> bool:
    detail = door.detail(id)
    assert detail is not None
    return any("begun" in stage.get("output", "") for stage in detail["stages"])


def _family(id: str) -> list[psutil.Process]:
    """The processes of an execution once there are three: a shell, its child, and a sleep."""
    family = left_of(id)
    return family if len(family) >= 3 and "sleep" in [one.name() for one in family] else []


def _if_ended(execution: Message) -> Message | None:
    return execution if execution["endReason"] else None
