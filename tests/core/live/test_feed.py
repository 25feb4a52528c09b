"""What readers follow, from a snapshot or from a cursor on."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from patience import until
from runcast.core.execution.change import Change
from runcast.core.execution.events import Began, Ended, StageRetrying, StageStarted
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import EndReason, Failure, Status
from runcast.core.live.listing import ExecutionsChange
from runcast.core.live.manager import ExecutionManager
from samples import ScriptedEngine, a_pipeline, a_request, said
from virtual_clock import VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")

RUNNING = ExecutionFilter(status=frozenset({Status.RUNNING}))


@pytest.fixture
async def manager(clock: VirtualClock, leaves_no_task: None) -> AsyncIterator[ExecutionManager]:
    """A manager with short rings whose executions do what the test says."""
    async with ExecutionManager(ScriptedEngine(), clock, retention=1, ring_size=3) as manager:
        yield manager


async def running(manager: ExecutionManager, input: str = "hello") -> str:
    id = (await manager.start(a_request(input), a_pipeline("one"))).execution.id
    manager.apply(Began(id, 1))
    return id


def end(manager: ExecutionManager, id: str) -> None:
    manager.apply(Ended(id, 3, Status.COMPLETED, EndReason.FINISHED))


async def told(stream: AsyncGenerator[Change, None], number: int) -> list[tuple[str, int]]:
    """The next so many messages: kind and sequence."""
    changes = [await anext(stream) for _ in range(number)]
    return [(one.kind, one.execution.sequence) for one in changes]


def words(changes: list[ExecutionsChange]) -> list[str]:
    """Kind, and the input of the execution."""
    return [f"{c.kind} {c.execution.input}" if c.execution else c.kind for c in changes]


async def caught_up(stream: AsyncGenerator[ExecutionsChange, None]) -> list[ExecutionsChange]:
    changes = [await anext(stream)]
    while changes[-1].kind != "CAUGHT_UP":
        changes.append(await anext(stream))
    return changes


class Away:
    """Reads a list, breaks off after some messages, and resumes from the last cursor."""

    def __init__(self, manager: ExecutionManager, filter: ExecutionFilter = EVERYTHING) -> None:
        self._manager, self._filter = manager, filter
        self._after: str | None = None

    async def read(self, messages: int | None = None) -> list[str]:
        """Up to CAUGHT_UP, or so many messages."""
        stream = self._manager.watch_list(self._filter, self._after)
        if messages is None:
            changes = await caught_up(stream)
        else:
            changes = [await anext(stream) for _ in range(messages)]
        await stream.aclose()
        self._after = str(self._manager.list_cursor(changes[-1].version))
        return words(changes)


async def test_a_watch_begins_with_a_snapshot_and_goes_on_without_a_gap(
    manager: ExecutionManager,
) -> None:
    """What happens between two reads is not lost."""
    id = await running(manager)
    stream = manager.watch(id)
    assert await told(stream, 1) == [("SNAPSHOT", 2)]
    manager.apply(StageStarted(id, 1, 0))
    manager.apply(said(id, 1, 0, "x"))
    end(manager, id)
    assert await told(stream, 3) == [("STAGE_CHANGED", 3), ("OUTPUT", 4), ("STATUS_CHANGED", 5)]
    assert [one async for one in stream] == []


async def test_a_watch_of_an_ended_execution_is_one_snapshot(manager: ExecutionManager) -> None:
    """And it ends."""
    id = await running(manager)
    end(manager, id)
    assert [one.kind async for one in manager.watch(id)] == ["SNAPSHOT"]
    assert manager.subscribers == 0


async def test_a_cursor_continues_where_it_stands(manager: ExecutionManager) -> None:
    """With the changes behind it, then with those to come; at the end there is nothing more."""
    id = await running(manager)
    stream = manager.watch(id, f"{manager.epoch}:1")
    assert await told(stream, 1) == [("STATUS_CHANGED", 2)]
    end(manager, id)
    assert await told(stream, 1) == [("STATUS_CHANGED", 3)]
    assert [one async for one in stream] == []
    assert [one async for one in manager.watch(id, f"{manager.epoch}:3")] == []


@pytest.mark.parametrize(
    ("sequence", "missed"), [(0, 6), (2, 4), (9, None)], ids=["first", "dropped", "future"]
)
async def test_what_a_ring_cannot_tell_becomes_a_reset(
    manager: ExecutionManager, sequence: int, missed: int | None
) -> None:
    """With how many changes were missed, if that is known."""
    id = await running(manager)
    manager.apply(StageStarted(id, 1, 0))
    for _ in range(3):
        manager.apply(said(id, 1, 0, "x"))
    stream = manager.watch(id, f"{manager.epoch}:{sequence}")
    change = await anext(stream)
    assert (change.kind, change.missed, change.execution) == ("RESET", missed, manager.get(id))
    await stream.aclose()


async def test_a_cursor_of_another_process_becomes_a_reset(manager: ExecutionManager) -> None:
    """Nobody knows how much was missed."""
    id = await running(manager)
    stream = manager.watch(id, "elsewhere:1")
    change = await anext(stream)
    assert (change.kind, change.missed) == ("RESET", None)
    await stream.aclose()


async def test_a_list_is_told_oldest_first_and_then_followed(
    manager: ExecutionManager, clock: VirtualClock
) -> None:
    """In, changed, out, gone, what comes before what goes on; output is no news."""
    first = await running(manager, "a")
    await running(manager, "b")
    stream = manager.watch_list()
    assert words(await caught_up(stream)) == ["ENTERED a", "ENTERED b", "CAUGHT_UP"]
    manager.apply(StageStarted(first, 1, 0))
    manager.apply(said(first, 1, 0, "x"))
    await running(manager, "c")
    assert words([await anext(stream), await anext(stream)]) == ["ENTERED c", "UPDATED a"]
    end(manager, first)
    clock.advance(1)
    await until(lambda: first not in [one.id for one in manager.list()])
    assert words([await anext(stream)]) == ["LEFT a"]
    await stream.aclose()
    assert manager.subscribers == 0


async def test_a_filtered_list_is_entered_and_left(manager: ExecutionManager) -> None:
    """The counts tell all statuses, whichever are shown."""
    stream = manager.watch_list(RUNNING)
    await caught_up(stream)
    id = await running(manager, "a")
    entered = await anext(stream)
    end(manager, id)
    left = await anext(stream)
    assert words([entered, left]) == ["ENTERED a", "LEFT a"]
    assert (entered.counts[Status.RUNNING], left.counts[Status.COMPLETED]) == (1, 1)
    await stream.aclose()


async def test_a_reader_that_was_away_is_told_what_is_new(manager: ExecutionManager) -> None:
    """And nothing of what its filter can never show."""
    reader = Away(manager, ExecutionFilter(status=RUNNING.status, text="a-"))
    kept, lost, other = [await running(manager, one) for one in ("a-1", "a-2", "b-1")]
    assert await reader.read() == ["ENTERED a-1", "ENTERED a-2", "CAUGHT_UP"]
    assert await reader.read() == ["CAUGHT_UP"]
    end(manager, lost)
    end(manager, other)
    manager.apply(StageStarted(kept, 1, 0))
    await running(manager, "a-3")
    assert await reader.read() == ["LEFT a-2", "UPDATED a-1", "ENTERED a-3", "CAUGHT_UP"]


async def test_a_first_reading_that_breaks_off_begins_anew(manager: ExecutionManager) -> None:
    """For what it has seen may leave the list while it is away."""
    reader, id = Away(manager, RUNNING), await running(manager, "a")
    await running(manager, "b")
    assert await reader.read(1) == ["ENTERED a"]
    end(manager, id)
    assert await reader.read() == ["RESET", "ENTERED b", "CAUGHT_UP"]


async def test_catching_up_can_break_off_after_every_message(manager: ExecutionManager) -> None:
    """What entered and left while it did so is told as well."""
    reader = Away(manager, RUNNING)
    await running(manager, "a")
    await reader.read()
    second, _ = await running(manager, "b"), await running(manager, "c")
    assert await reader.read(1) == ["ENTERED b"]
    end(manager, second)
    assert await reader.read() == ["ENTERED c", "LEFT b", "CAUGHT_UP"]


async def test_following_can_break_off_after_every_message(manager: ExecutionManager) -> None:
    """The cursor does not pass over what was not told yet."""
    stream = manager.watch_list(RUNNING)
    await caught_up(stream)
    for input in ("a", "b", "c"):
        await running(manager, input)
    change = await anext(stream)
    await stream.aclose()
    assert words([change]) == ["ENTERED a"]
    after = str(manager.list_cursor(change.version))
    resumed = manager.watch_list(RUNNING, after)
    assert words(await caught_up(resumed))[-3:] == ["ENTERED b", "ENTERED c", "CAUGHT_UP"]
    await resumed.aclose()


async def test_a_reader_that_breaks_off_forgets_what_came_and_ended_early(
    manager: ExecutionManager,
) -> None:
    """What was told out of turn lies behind its cursor, and leaves the list all the same."""
    first = await running(manager, "a")
    manager.apply(StageStarted(first, 1, 0))
    stream = manager.watch_list(RUNNING)
    await caught_up(stream)
    manager.apply(StageRetrying(first, 1, 0, Failure("ExitStatus", "it ended with status 1"), 2000))
    early = await running(manager, "b")
    change = await anext(stream)
    await stream.aclose()
    assert words([change]) == ["ENTERED b"]
    end(manager, early)
    resumed = manager.watch_list(RUNNING, str(manager.list_cursor(change.version)))
    assert words(await caught_up(resumed)) == ["UPDATED a", "LEFT b", "CAUGHT_UP"]
    await resumed.aclose()


@pytest.mark.parametrize("after", ["elsewhere:1", "{epoch}:0", "{epoch}:999"])
async def test_a_list_that_is_not_known_any_more_is_told_anew(
    manager: ExecutionManager, after: str
) -> None:
    """After a RESET."""
    await running(manager, "a")
    stream = manager.watch_list(after=after.format(epoch=manager.list_cursor().epoch))
    assert words(await caught_up(stream)) == ["RESET", "ENTERED a", "CAUGHT_UP"]
    await stream.aclose()


async def test_a_departure_while_away_tells_the_list_anew(
    manager: ExecutionManager, clock: VirtualClock
) -> None:
    """Nobody remembers who has left."""
    reader, id = Away(manager), await running(manager, "a")
    await running(manager, "b")
    await reader.read()
    end(manager, id)
    clock.advance(1)
    await until(lambda: len(manager.list()) == 1)
    assert await reader.read() == ["RESET", "ENTERED b", "CAUGHT_UP"]


async def test_a_reader_of_nothing_costs_nothing(manager: ExecutionManager) -> None:
    """A stream begins when it is first read, and is over when it is closed."""
    id = await running(manager)
    streams: list[AsyncGenerator[Any, None]] = [manager.watch(id), manager.watch_list()]
    assert manager.subscribers == 0
    for stream in streams:
        await anext(stream)
    assert manager.subscribers == 2
    for stream in streams:
        await stream.aclose()
    assert manager.subscribers == 0
