"""A manager that is told by a log what happens: of any number of processes, and more than once."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st
from list_reader import FAILURE, Reader
from patience import turns
from runcast.core.errors import EventsMissing, IllegalMove, NotFound
from runcast.core.execution.change import Change
from runcast.core.execution.events import (
    Began,
    CancelRequested,
    ChangeKind,
    Ended,
    Event,
    StageCompleted,
    StageProgressed,
    StageRetrying,
    StageStarted,
    Submitted,
)
from runcast.core.execution.model import EndReason, Status
from runcast.core.live.manager import ExecutionManager
from samples import ScriptedEngine, an_execution, said
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

RETENTION = 10.0
ID = "exec_1"


def submitted(id: str = ID) -> Submitted:
    return Submitted(id, 1000, an_execution(id, "one"))


def events_of(id: str) -> tuple[Event, ...]:
    """What may happen to an execution, in an order that can be."""
    return (
        Began(id, 1001),
        StageStarted(id, 1002, 0),
        said(id, 1003, 0, "hello"),
        StageProgressed(id, 1004, 0, 0.5),
        StageRetrying(id, 1005, 0, FAILURE, 2000),
        StageStarted(id, 2000, 0, 2),
        StageCompleted(id, 2001, 0, "done"),
        Ended(id, 2002, Status.COMPLETED, EndReason.FINISHED),
    )


async def test_what_is_repeated_changes_nothing(clock: VirtualClock) -> None:
    """Nobody is told of it again."""
    async with ExecutionManager(ScriptedEngine(), clock) as manager:
        manager.apply(submitted(), 1)
        told = await told_from(manager, ID)
        running = manager.apply(Began(ID, 1001), 2)
        for sequence in (1, 2):
            assert manager.apply(Began(ID, 1001), sequence) is running
        assert await told.so_far() == [("SNAPSHOT", 1), ("STATUS_CHANGED", 2)]


async def test_what_does_not_follow_is_refused(clock: VirtualClock) -> None:
    """And changes nothing; the state as a whole is what helps."""
    async with ExecutionManager(ScriptedEngine(), clock) as manager:
        with pytest.raises(EventsMissing, match="1 to 1"):
            manager.apply(Began(ID, 1001), 2)
        assert manager.list() == []
        manager.apply(submitted(), 1)
        with pytest.raises(EventsMissing, match="2 to 3 of exec_1"):
            manager.apply(StageCompleted(ID, 2001, 0, "done"), 4)
        assert manager.get(ID).sequence == 1


async def test_who_watches_is_told_the_whole_state(clock: VirtualClock) -> None:
    """By a RESET, in place of the events that are missing; those after it come one by one."""
    async with ExecutionManager(ScriptedEngine(), clock) as manager:
        state = manager.apply(submitted(), 1)
        told, reader = await told_from(manager, ID), Reader(manager)
        await reader.read()
        for event in events_of(ID)[:3]:
            state = event.after(state)
        manager.restore(replace(state, sequence=4))
        manager.apply(StageProgressed(ID, 1004, 0, 0.5), 5)
        assert await told.so_far() == [("SNAPSHOT", 1), ("RESET", 4), ("STAGE_CHANGED", 5)]
        await reader.read()
        assert reader.is_right()
        await reader.cut_off()
        resumed = manager.watch(ID, str(manager.cursor(manager.get(ID))).replace(":5", ":2"))
        assert (await anext(resumed)).kind is ChangeKind.RESET, "2 to 4 are not known"
        await resumed.aclose()


async def test_an_older_state_changes_nothing(clock: VirtualClock) -> None:
    """A log may be behind what has been said already."""
    async with ExecutionManager(ScriptedEngine(), clock) as manager:
        first = manager.apply(submitted(), 1)
        now = manager.apply(Began(ID, 1001), 2)
        manager.restore(first)
        manager.restore(now)
        assert manager.get(ID) is now and len(manager.list()) == 1


async def test_an_end_is_kept_from_its_own_time_on(clock: VirtualClock) -> None:
    """By whichever manager; one that is too long ago is not taken in at all."""
    async with ExecutionManager(ScriptedEngine(), clock, retention=RETENTION) as manager:
        now = clock.now()

        def ended(id: str, seconds_ago: float) -> None:
            at = now - round(seconds_ago * 1000)
            manager.restore(an_execution(id, status=Status.COMPLETED, ended_at=at, sequence=9))

        ended("exec_late", 2)
        ended("exec_early", 9)
        ended("exec_gone", 11)
        ended("exec_ahead", -100)
        assert {one.id for one in manager.list()} == {"exec_late", "exec_early", "exec_ahead"}
        clock.advance(1.5)
        manager.sweep()
        assert {one.id for one in manager.list()} == {"exec_late", "exec_ahead"}
        clock.advance(RETENTION)
        manager.sweep()
        assert manager.list() == []


DELIVERIES = st.lists(st.sampled_from(["once", "twice", "late", "never"]), max_size=60)
SCRIPTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["go on", "cancel", "nothing"])), max_size=40
)


@given(SCRIPTS, DELIVERIES)
def test_two_managers_on_one_log_become_equal(
    script: list[tuple[int, str]], deliveries: list[str]
) -> None:
    """Whatever comes twice, late or never to the second one, as long as it can ask for a state.

    Its watchers are told in order, nothing twice, and a RESET where something is missing.
    """

    async def play() -> None:
        clock = VirtualClock()
        async with (
            ExecutionManager(ScriptedEngine(), clock) as first,
            ExecutionManager(ScriptedEngine(), clock) as second,
        ):
            log = written(first, script)
            follower = Behind(first, second)
            watched: dict[str, Told] = {}
            for number, (event, sequence) in enumerate(log):
                follower.deliver(event, sequence, deliveries[number % len(deliveries or "x")])
                if event.execution_id not in watched and sequence == 1:
                    with suppress(NotFound):
                        second.get(event.execution_id)
                        watched[event.execution_id] = await told_from(second, event.execution_id)
                await turns(2)
            follower.settle()
            assert {one.id: one for one in second.list()} == {one.id: one for one in first.list()}
            for told in watched.values():
                kinds = await told.so_far()
                assert_in_order(kinds)

    if deliveries:
        asyncio.run(play())


def written(manager: ExecutionManager, script: list[tuple[int, str]]) -> list[tuple[Event, int]]:
    """What has happened to a few executions, with its numbers."""
    log: list[tuple[Event, int]] = []

    def happen(event: Event) -> None:
        now = replace(event, at=manager.clock.now())
        with suppress(IllegalMove):
            log.append((now, manager.apply(now).sequence))

    left = {}
    for number in range(3):
        id = f"exec_{number}"
        happen(submitted(id))
        left[id] = iter(events_of(id))
    for number, step in script:
        id = f"exec_{number}"
        if step == "cancel":
            happen(CancelRequested(id, 3000))
        elif step == "go on" and (event := next(left[id], None)):
            happen(event)
    return log


class Behind:
    """Tells a manager what has happened to another one, not always as it was."""

    def __init__(self, first: ExecutionManager, second: ExecutionManager) -> None:
        self._first, self._second = first, second
        self._late: list[tuple[Event, int]] = []

    def deliver(self, event: Event, sequence: int, how: str) -> None:
        if how == "late":
            self._late.append((event, sequence))
        elif how != "never":
            for _ in range(1 + (how == "twice")):
                self._tell(event, sequence)
            for one in self._late:
                self._tell(*one)
            self._late.clear()

    def settle(self) -> None:
        for execution in reversed(self._first.list()):
            self._second.restore(execution)

    def _tell(self, event: Event, sequence: int) -> None:
        try:
            self._second.apply(event, sequence)
        except EventsMissing:
            self._second.restore(self._first.get(event.execution_id))


def assert_in_order(told: list[tuple[str, int]]) -> None:
    """Each number is the one after the last, but that of a RESET may be further."""
    for (_, before), (kind, number) in pairwise(told):
        assert number == before + 1 or (kind == "RESET" and number > before), told


async def told_from(manager: ExecutionManager, id: str) -> "Told":
    told = Told(manager, id)
    await turns(2)
    return told


class Told:
    """What somebody who watches an execution is told, from now on."""

    def __init__(self, manager: ExecutionManager, id: str) -> None:
        self._stream = manager.watch(id)
        self._told: list[tuple[str, int]] = []
        self._reading = asyncio.create_task(self._read())

    async def so_far(self) -> list[tuple[str, int]]:
        await turns(5)
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        return self._told

    async def _read(self) -> None:
        async for change in self._stream:
            self._told.append(_shown(change))


def _shown(change: Change) -> tuple[str, int]:
    return change.kind.value, change.execution.sequence
