"""Bounded watchers of one execution each."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from patience import turns
from runcast.core.execution.change import Change
from runcast.core.execution.events import ChangeKind, StageLogged
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.model import StageRun, StageStatus, Status
from runcast.core.execution.stage_log import StageLog
from runcast.core.fairness import LoopBudget
from runcast.core.live.deliveries import Deliveries
from runcast.core.live.hub import Hub, Watcher
from samples import an_execution

pytestmark = pytest.mark.usefixtures("leaves_no_task")


PIECE = LogPiece(0, LogStream.STDOUT, "x", 1000)


def change(sequence: int, id: str = "exec_1", status: Status = Status.RUNNING) -> Change:
    execution = replace(an_execution(id, status=status), sequence=sequence)
    return Change(ChangeKind.OUTPUT, execution, 1000 + sequence, stage=0, piece=PIECE)


async def rest(watcher: Watcher) -> list[tuple[ChangeKind, int, int | None]]:
    """What a watcher still has, closed so that it ends."""
    watcher.close()
    told = []
    while (one := await watcher.next()) is not None:
        told.append((one.kind, one.execution.sequence, one.missed))
    return told


async def test_changes_come_in_order_to_those_who_watch() -> None:
    """Each once, and only those of the execution that is watched."""
    hub = Hub()
    with hub.watching("exec_1") as first, hub.watching("exec_2") as other:
        with hub.watching("exec_1") as second:
            hub.publish(change(2))
            assert len(hub) == 3
        hub.publish(change(3))
        assert [each[1] for each in await rest(first)] == [2, 3]
        assert [each[1] for each in await rest(second)] == [2]
        assert await rest(other) == []
    assert len(hub) == 0
    assert hub._watchers == {}


async def test_a_watcher_waits_for_the_next_change() -> None:
    """And is woken by it."""
    watcher = Watcher(3, Deliveries(LoopBudget()))
    waiting = asyncio.create_task(watcher.next())
    await turns()
    assert not waiting.done()
    watcher.push(change(2))
    assert await waiting == change(2)


async def test_an_overflow_becomes_one_reset_with_the_latest_state() -> None:
    """It says how many were lost, is about no stage, and is followed by what comes next."""
    watcher = Watcher(2, Deliveries(LoopBudget()))
    for sequence in range(2, 7):
        watcher.push(change(sequence))
    assert len(watcher._changes) == 0
    reset = await watcher.next()
    assert reset is not None
    assert (reset.kind, reset.missed, reset.execution.sequence) == (ChangeKind.RESET, 5, 6)
    assert (reset.stage, reset.piece, reset.at) == (None, None, 1006)
    watcher.push(change(7))
    assert await rest(watcher) == [(ChangeKind.OUTPUT, 7, None)]


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 4))
def test_what_is_read_and_what_is_lost_is_everything(bursts: list[int], limit: int) -> None:
    """However pushes and reads mix: no gap that is not told, never more than the limit."""

    async def play() -> None:
        watcher, pushed, seen = Watcher(limit, Deliveries(LoopBudget())), 1, 1
        for burst in [*bursts, 0]:
            for _ in range(burst):
                pushed += 1
                watcher.push(change(pushed))
                assert len(watcher._changes) <= limit
            if pushed > seen:
                one = await watcher.next()
                assert one is not None
                seen += 1 if one.missed is None else one.missed
                assert one.execution.sequence == seen
        for _, sequence, missed in await rest(watcher):
            seen += 1 if missed is None else missed
            assert sequence == seen
        assert seen == pushed

    asyncio.run(play())


async def test_a_taker_takes_what_its_reader_waits_for() -> None:
    """In order, without the reader; what it leaves is read, and so is what comes until then."""
    taken: list[int] = []
    hub = Hub()
    with hub.watching("exec_1", taker=lambda one: _takes(taken, one, upto=3)) as watcher:
        reading = asyncio.create_task(watcher.next())
        await turns()
        for sequence in range(2, 6):
            hub.publish(change(sequence))
        await turns()
        assert (taken, reading.done()) == ([2, 3], True)
        assert await reading == change(4)
        assert await watcher.next() == change(5)


async def test_a_taker_is_not_asked_while_something_is_unread() -> None:
    """Nor before its reader waits: nothing overtakes what is read."""
    taken: list[int] = []
    hub = Hub()
    with hub.watching("exec_1", taker=lambda one: _takes(taken, one)) as watcher:
        hub.publish(change(2))
        await turns()
        assert taken == []
        assert await watcher.next() == change(2)
        hub.publish(change(3))
        await turns()
        assert taken == []
        assert await watcher.next() == change(3)


async def test_a_taker_that_fails_harms_nobody() -> None:
    """Its own reader has the change, and the takers of others theirs."""
    taken: list[int] = []

    def failing(one: Change) -> bool:
        raise OSError

    hub = Hub()
    with (
        hub.watching("exec_1", taker=failing) as failed,
        hub.watching("exec_1", taker=lambda one: _takes(taken, one)) as other,
    ):
        readings = [asyncio.create_task(one.next()) for one in (failed, other)]
        await turns()
        hub.publish(change(2))
        assert await readings[0] == change(2)
        assert taken == [2]
        hub.close()
        assert await readings[1] is None


async def test_the_end_is_read() -> None:
    """No taker takes it: the reader ends by it."""
    taken: list[int] = []
    hub = Hub()
    with hub.watching("exec_1", taker=lambda one: _takes(taken, one)) as watcher:
        reading = asyncio.create_task(watcher.next())
        await turns()
        end = change(2)
        end = replace(end, execution=replace(end.execution, status=Status.COMPLETED))
        hub.publish(change(2))
        hub.publish(end)
        assert await reading == end
        assert taken == [2]


async def test_who_leaves_while_others_take() -> None:
    """Is not asked any more, and the others go on."""
    taken: list[int] = []
    left: list[int] = []
    hub = Hub()

    def leaving(one: Change) -> bool:
        reading.cancel()
        return _takes(taken, one)

    with hub.watching("exec_1", taker=leaving) as first:
        first_reading = asyncio.create_task(first.next())
        with hub.watching("exec_1", taker=lambda one: _takes(left, one, upto=2)) as second:
            reading = asyncio.create_task(second.next())
            await turns()
            hub.publish(change(2))
            await turns()
        assert reading.cancelled()
        hub.publish(change(3))
        await turns()
        assert (taken, left) == ([2, 3], [2])
        hub.close()
        assert await first_reading is None


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=20))
def test_what_is_taken_and_what_is_read_is_everything(steps: list[tuple[int, bool]]) -> None:
    """However changes, reads and refusals mix: each once and in order, by one of the two."""

    async def play() -> None:
        seen: list[int] = []
        hub, sequence, willing = Hub(), 1, [True]

        async def read() -> None:
            while one := await watcher.next():
                seen.append(one.execution.sequence)
                await turns(2)

        with hub.watching("exec_1", taker=lambda one: willing[0] and _takes(seen, one)) as watcher:
            reading = asyncio.create_task(read())
            for number, willing[0] in steps:
                for _ in range(number):
                    sequence += 1
                    hub.publish(change(sequence))
                await turns(3)
            hub.close()
            await reading
        assert seen == list(range(2, sequence + 1))

    asyncio.run(play())


def _takes(taken: list[int], one: Change, upto: int = 100) -> bool:
    """Takes a change if it is none after that."""
    if one.execution.sequence > upto:
        return False
    taken.append(one.execution.sequence)
    return True


async def test_closing_ends_watchers_once_they_have_read_what_they_have() -> None:
    """Those who wait, those with a queue, and those who come later."""
    hub = Hub()
    with hub.watching("exec_1") as full, hub.watching("exec_2") as waiting:
        task = asyncio.create_task(waiting.next())
        hub.publish(change(2))
        await turns()
        hub.close()
        assert await task is None
        assert await full.next() == change(2)
        assert await full.next() is None
    with hub.watching("exec_1") as late:
        assert await late.next() is None


@pytest.mark.parametrize("stream", LogStream)
def test_a_change_of_output_tells_the_piece_and_where_it_belongs(stream: LogStream) -> None:
    """In the log over all streams, and behind how much of stdout; in characters of the attempt."""
    before = StageLog().appended(LogPiece(0, LogStream.STDOUT, "héllo", 4), 0)
    before = before.appended(LogPiece(5, LogStream.STDERR, "ö!", 4), 5)
    stage = StageRun("one", "one", "python", StageStatus.RUNNING, log=before)
    running = an_execution(status=Status.RUNNING, stages=(stage,))
    piece = LogPiece(7, stream, "wörld", 5)
    event = StageLogged("exec_1", 5, 0, piece, 5)
    told = Change.of(event, event.after(running))
    assert (told.kind, told.stage, told.at) == (ChangeKind.OUTPUT, 0, 5)
    assert (told.piece, told.output_offset) == (piece, 5)
    assert told.execution.stages[0].log.length == 12
    assert told.execution.stages[0].log.output_length == (10 if stream is LogStream.STDOUT else 5)
    assert not told.terminal
