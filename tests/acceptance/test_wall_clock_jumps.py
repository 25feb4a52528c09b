"""A server whose wall clock is set while it runs goes on as if nothing had happened."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from deadlines import eventually
from doors import GraphQLDoor, RestDoor
from psutil import NoSuchProcess
from server_process import ServerProcess, serving
from subscriptions import STATE, check_progress, connected, until, whole
from wall_clock import WallClock

Row: TypeAlias = dict[str, Any]

JUMPS = {"a year ahead": 365, "back": 0, "a day back": -1, "far ahead": 36_500, "right": 0}
HURRY = {"runcast.core.wall_clock:LOOK_SECONDS": 0.05}
FIELDS = "id status startTime endTime durationMs expiresAt stages { startTime endTime durationMs }"
ONE = f"query ($id: ID!) {{ server {{ serverTime }} execution(id: $id) {{ {FIELDS} }} }}"
SLACK_SECONDS = 20.0


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def server(tmp_path: Path, wall_clock: WallClock) -> Iterator[ServerProcess]:
    """It forgets after a day, and would do so at the first jump."""
    flags = ("--history-days", "1")
    with serving(tmp_path, *flags, hurry=HURRY, **wall_clock.environ) as server:
        yield server


def seen(server: ServerProcess, id: str) -> Row:
    """An execution; whatever moment it tells is one of this test."""
    asked = GraphQLDoor(server.client).ask(ONE, id=id)
    execution: Row = asked["execution"]
    moments = [asked["server"]["serverTime"], execution["startTime"], execution["endTime"]]
    for stage in execution["stages"]:
        moments += [stage["startTime"], stage["endTime"]]
    for moment in filter(None, moments):
        assert abs(datetime.fromisoformat(moment).timestamp() - time.time()) < SLACK_SECONDS
    durations = [execution["durationMs"], *(stage["durationMs"] for stage in execution["stages"])]
    assert all(0 <= one < SLACK_SECONDS * 1000 for one in durations if one is not None)
    return execution


def ended(server: ServerProcess, id: str) -> Row:
    return eventually(lambda: (found := seen(server, id))["endTime"] and found)


def history(server: ServerProcess) -> set[str]:
    answer = server.client.get("/api/executions/history", params={"pageSize": 100}).json()
    assert all(0 <= one["duration"] < SLACK_SECONDS * 1000 for one in answer["executions"])
    return {one["id"] for one in answer["executions"]}


async def test_nothing_is_lost_frozen_or_wrong(
    server: ServerProcess, wall_clock: WallClock
) -> None:
    """Lists, history, result files, durations, what runs, and what is subscribed to."""
    door = RestDoor(server.client)
    long = door.start("shell")
    ids = [door.start("echo")]
    ended(server, ids[0])
    async with connected(server.ws_url) as socket:
        told = socket.progress(long, STATE)
        changes = socket.changes()
        await until(changes, change="CAUGHT_UP")
        lasted = 0.0
        for days in JUMPS.values():
            wall_clock.set(days)
            ids.append(door.start("echo"))
            assert ended(server, ids[-1])["status"] == "COMPLETED"
            await until(changes, change="ENTERED")
            now = seen(server, long)
            assert now["status"] == "RUNNING"
            assert now["durationMs"] > lasted
            lasted = now["durationMs"]
            assert [one["id"] for one in door.list()] == [*reversed(ids), long]
            eventually(lambda: history(server) == set(ids))
        assert door.cancel(long) == "CANCELLED"
        check_progress(await whole(told))
    assert ended(server, long)["status"] == "CANCELLED"
    eventually(lambda: history(server) == {*ids, long})
    files = eventually(
        lambda: len(found := server.client.get("/api/outputs").json()) > len(ids) and found
    )
    assert len(files) == len(ids) + 1
    assert all(abs(moment(one["timestamp"]) - time.time()) < SLACK_SECONDS for one in files)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_it_says_that_the_wall_clock_is_off(server: ServerProcess, wall_clock: WallClock) -> None:
    """Health while it is, and the log once for each change."""
    assert server.client.get("/healthz").json() == {"status": "ok"}
    for number, (days, said) in enumerate([(365, "ahead of"), (-1, "behind")]):
        wall_clock.set(days)
        health = server.client.get("/healthz").json()
        assert health["status"] == "degraded"
        assert said in health["problems"]["clock"]
        eventually(lambda said=said: said in server.complained)  # type: ignore[misc]
        assert server.complained.count("the machine's clock is") == number + 1
    wall_clock.set(0)
    assert server.client.get("/healthz").json() == {"status": "ok"}
    eventually(lambda: "agrees with the server's time again" in server.complained)
    assert server.complained.count("the machine's clock is") == 2


def test_what_has_ended_leaves_on_time(tmp_path: Path, wall_clock: WallClock) -> None:
    """Not at the jump, and not a year later."""
    with serving(tmp_path, "--retention", "1", **wall_clock.environ) as server:
        door = RestDoor(server.client)
        for days in JUMPS.values():
            execution = ended(server, door.start("echo"))
            wall_clock.set(days)
            eventually(lambda: door.list() == [], 10)
            listed = time.time() - moment(execution["endTime"])
            assert listed >= 1
            assert moment(execution["expiresAt"]) - moment(execution["endTime"]) == 1


@pytest.mark.campaign
def test_restarts_while_it_is_wrong_forget_nothing(tmp_path: Path, wall_clock: WallClock) -> None:
    """A server that was started by a wrong clock says wrong times, and keeps what there is."""
    ids: list[str] = []
    for days in (0, 365, 365, 0, -1, 0):
        wall_clock.set(days)
        with serving(tmp_path, "--history-days", "1", **wall_clock.environ) as server:
            assert history(server) == set(ids)
            door = RestDoor(server.client)
            ids.append(door.start("echo"))
            eventually(lambda: history(server) == set(ids))
            eventually(lambda: len(server.client.get("/api/outputs").json()) == len(ids))


@pytest.mark.campaign
def test_a_kill_between_two_wall_clocks_leaves_no_negative_duration(
    tmp_path: Path, wall_clock: WallClock
) -> None:
    """What was cut off under the later one ends under the earlier one, after it began."""
    wall_clock.set(365)
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, **wall_clock.environ))
        id = RestDoor(server.client).start("shell")
        eventually(lambda: RestDoor(server.client).list()[0]["currentStage"] == 2)
        left = server.children()
        server.process.kill()
        server.process.wait(20)
        wall_clock.set(0)
        server = stack.enter_context(serving(tmp_path, **wall_clock.environ))
        for child in left:
            with suppress(NoSuchProcess):  # workers end when their server does
                child.kill()
        found = GraphQLDoor(server.client).ask(ONE, id=id)["execution"]
    assert found["status"] == "FAILED"
    assert 0 <= found["durationMs"] < SLACK_SECONDS * 1000
    assert all((stage["durationMs"] or 0) >= 0 for stage in found["stages"])
