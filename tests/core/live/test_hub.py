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
    watcher = Watcher(3)
    waiting = asyncio.create_task(watcher.next())
    await turns()
    assert not waiting.done()
    watcher.push(change(2))
    assert await waiting == change(2)


async def test_an_overflow_becomes_one_reset_with_the_latest_state() -> None:
    """It says how many were lost, is about no stage, and is followed by what comes next."""
    watcher = Watcher(2)
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
        watcher, pushed, seen = Watcher(limit), 1, 1
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
