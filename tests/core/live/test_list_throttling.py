"""How many messages a reader of the list gets, and in which order."""

from collections import Counter
from itertools import combinations_with_replacement

import pytest
from list_reader import PIPELINE, RETENTION, change, managing, reading, running, settled
from runcast.core.execution.events import Began, Ended
from runcast.core.execution.filter import ExecutionFilter
from runcast.core.execution.model import EndReason, Status
from runcast.core.live.feed import BURST, MESSAGES_PER_SECOND
from runcast.core.live.listing import ExecutionsChange
from runcast.core.live.manager import ExecutionManager
from runcast.core.rate_limit import PAUSE_SECONDS
from samples import a_request
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

RUNNING = ExecutionFilter(status=frozenset({Status.RUNNING}))


def end(manager: ExecutionManager, id: str) -> None:
    manager.apply(Ended(id, 1, Status.COMPLETED, EndReason.FINISHED))


def bound(seconds: float) -> float:
    """How many messages there may be in that time."""
    return BURST + MESSAGES_PER_SECOND * seconds


def check_bound(times: list[float]) -> None:
    """In no span of time there are more messages than its length allows."""
    at = Counter(times)
    for first, last in combinations_with_replacement(sorted(at), 2):
        number = sum(at[time] for time in at if first <= time <= last)
        assert number <= bound(last - first) + 1e-6


@pytest.mark.parametrize(
    ("executions", "rounds"), [(300, 32), pytest.param(1000, 128, marks=pytest.mark.campaign)]
)
async def test_a_flood_of_changes_is_a_bounded_number_of_messages(
    clock: VirtualClock, executions: int, rounds: int
) -> None:
    """A thousand that change a hundred times within a second: 100,000 changes, 200 messages.

    (A tenth of that in everyday runs.) When it is over, each that is not up to date is told once,
    and the mirror equals the query.
    """
    async with managing(clock) as manager:
        ids = [await running(manager) for _ in range(executions)]
        async with reading(manager) as reader:
            snapshot = len(reader.told)
            for _ in range(rounds):
                change(manager, *ids)
                await reader.read()
                clock.advance(1 / rounds)
            flood = len(reader.told) - snapshot
            assert BURST < flood <= bound(1)
            await settled(reader, clock)
            assert reader.is_right()
            check_bound(reader.times[snapshot:])
            assert len(reader.told) - snapshot <= flood + len(ids)


@pytest.mark.parametrize("rounds", [16, pytest.param(128, marks=pytest.mark.campaign)])
async def test_each_of_many_gets_its_turn(clock: VirtualClock, rounds: int) -> None:
    """While all of them go on changing, none is told a second time before all were told once."""
    async with managing(clock) as manager:
        ids = [await running(manager) for _ in range(3 * BURST)]
        async with reading(manager) as reader:
            told: list[ExecutionsChange] = []
            while len(told) < len(ids):
                assert clock.monotonic() < 10
                change(manager, *ids)
                told += await reader.read(len(ids) - len(told))
                clock.advance(1 / rounds)
            assert {one.execution.id for one in told if one.execution} == set(ids)


async def test_a_change_after_a_quiet_time_is_told_at_once(clock: VirtualClock) -> None:
    """Throttling adds nothing to the latency of a list on which little happens."""
    async with managing(clock) as manager:
        ids = [await running(manager) for _ in range(10)]
        async with reading(manager) as reader:
            for _ in range(5):
                change(manager, *ids)
                assert len(await reader.read()) == len(ids)
                clock.advance(len(ids) / MESSAGES_PER_SECOND)


async def test_what_comes_and_ends_goes_before_mere_progress(clock: VirtualClock) -> None:
    """In the next round at the latest, though a thousand others were dirty before."""
    async with managing(clock) as manager:
        ids = [await running(manager) for _ in range(1000)]
        async with reading(manager, RUNNING) as reader:
            change(manager, *ids)
            assert len(await reader.read()) == BURST
            end(manager, ids[-1])
            new = await running(manager)
            clock.advance(PAUSE_SECONDS)
            first, second, *others = await reader.read()
    assert first.execution and (first.kind, first.execution.id) == ("LEFT", ids[-1])
    assert second.execution and (second.kind, second.execution.id) == ("ENTERED", new)
    assert {one.kind for one in others} == {"UPDATED"}


async def test_what_leaves_goes_before_mere_progress(clock: VirtualClock) -> None:
    """When its retention is over, too: a reader is not shown for long what is not there."""
    async with managing(clock) as manager:
        gone = await running(manager)
        ids = [await running(manager) for _ in range(1000)]
        end(manager, gone)
        async with reading(manager) as reader:
            change(manager, *ids)
            assert len(await reader.read()) == BURST
            clock.advance(RETENTION)
            manager.sweep()
            first, *others = await reader.read()
    assert first.execution and (first.kind, first.execution.id) == ("LEFT", gone)
    assert {one.kind for one in others} == {"UPDATED"}


async def test_a_reader_that_is_interrupted_gets_the_rest_at_once(clock: VirtualClock) -> None:
    """A server that stops does not wait for rounds."""
    async with managing(clock) as manager:
        ids = [await running(manager) for _ in range(3 * BURST)]
        async with reading(manager) as reader:
            change(manager, *ids)
            assert len(await reader.read()) == BURST
            await manager.close(0)
            clock.advance(PAUSE_SECONDS)
            assert len(await reader.read()) == len(ids) - BURST
            assert reader.is_right() and reader.interrupted


async def test_counts_follow_what_the_filter_does_not_show(clock: VirtualClock) -> None:
    """CAUGHT_UP comes again with the new counts, once all else is told; and only then."""
    async with managing(clock) as manager, reading(manager, RUNNING) as reader:
        id = (await manager.start(a_request(), PIPELINE)).execution.id
        [caught_up] = await reader.read()
        assert (caught_up.kind, caught_up.execution) == ("CAUGHT_UP", None)
        assert caught_up.counts[Status.QUEUED] == 1
        manager.apply(Began(id, 1))
        [entered] = await reader.read()
        assert (entered.kind, entered.counts[Status.QUEUED]) == ("ENTERED", 0)
        end(manager, id)
        assert [one.kind for one in await reader.read()] == ["LEFT"]
        clock.advance(RETENTION)
        assert [one.kind for one in await reader.read()] == ["CAUGHT_UP"]
        assert set(reader.counts.values()) == {0}


async def test_counts_of_executions_that_nobody_sees_are_throttled(clock: VirtualClock) -> None:
    """They are messages like all the others."""
    nothing = ExecutionFilter(status=frozenset())
    async with managing(clock) as manager, reading(manager, nothing) as reader:
        for _ in range(2 * BURST):
            await manager.start(a_request(), PIPELINE)
            await reader.read()
        assert len(reader.told) - 1 == BURST
        await settled(reader, clock, 1)
        assert reader.is_right() and len(reader.told) - 1 == BURST + 1
