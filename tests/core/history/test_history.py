"""What is kept of executions, across restarts and within bounds."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from history_database import HistoryDatabase
from patience import until
from runcast.core.execution.events import (
    Began,
    CancelRequested,
    Event,
    StageStarted,
)
from runcast.core.execution.filter import ExecutionFilter
from runcast.core.execution.model import EndReason, Execution, Failure, StageStatus, Status
from runcast.core.execution.page import PageRequest
from runcast.core.execution.transition import applied
from runcast.core.history import FILE_NAME, History, writer
from runcast.core.history.file import HistoryFile
from runcast.core.history.store import AT_ONCE
from runcast.core.history.writer import Bounds, HistoryWriter
from samples import an_execution, said
from virtual_clock import EPOCH_MS, VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def ended(number: int, at: int | None = None, **values: Any) -> Execution:
    at = EPOCH_MS + number if at is None else at
    values = {"status": Status.COMPLETED, "started_at": at - 1, "ended_at": at} | values
    return an_execution(f"exec_{number}", sequence=9, **values)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def after(execution: Execution, *events: Event) -> Execution:
    for event in events:
        execution = applied(event, execution)
    return execution


async def test_200_executions_that_start_and_end_together_are_200_records(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Each with its own end (defect B1 of the old server: 100 runs, 7 records)."""
    async with database.history(clock) as history:

        async def run(number: int) -> None:
            history.note(an_execution(f"exec_{number}"))
            assert await history.committed(f"exec_{number}")
            history.note(ended(number, output=number))

        await asyncio.gather(*(run(number) for number in range(200)))
        _, total = await history.ended_page(1, 1)
        assert total == 200
    async with database.history(clock) as history:
        found, total = await history.ended_page(1, 1000)
        assert total == 200
        assert {one.id: one.output for one in found} == {f"exec_{n}": n for n in range(200)}


async def test_a_large_input_is_whole(database: HistoryDatabase, clock: VirtualClock) -> None:
    """Also one of 1 MiB that has not been put into a file."""
    execution = ended(1, input="ä" * 2**19)
    async with database.history(clock) as history:
        history.note(execution)
    async with database.history(clock) as history:
        found = await history.get("exec_1")
    assert found is not None
    assert found.input == execution.input


async def test_one_bad_record_does_not_lose_the_others(
    database: HistoryDatabase, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be stored at all is named in the log; the history goes on."""
    bad: Any = {"input_preview": None}
    async with database.history(clock) as history:
        for execution in (ended(1), ended(2, **bad), ended(3, ended_at=2**70), ended(4)):
            history.note(execution)
            await history.committed(execution.id)
        assert history.problem is None
    async with database.history(clock) as history:
        found, _ = await history.ended_page(1, 10)
    assert {one.id for one in found} == {"exec_1", "exec_3", "exec_4"}
    assert "exec_2 cannot be stored" in caplog.text


async def test_what_waits_is_read_as_if_it_were_written(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """A reader never sees less than it was told before."""
    async with database.history(clock) as history:
        for number in range(5):
            history.note(ended(number))
            history.note(ended(number, output="latest"))
            assert await history.get(f"exec_{number}") == ended(number, output="latest")
            assert await history.ended_page(1, 1) == (
                [ended(number, output="latest")],
                number + 1,
            )
            page = await history.merged_page([])
            assert page.total == number + 1
        assert await history.get("exec_none") is None
        assert await history.get("\ud800\0") is None


class CountingFile(HistoryFile):
    """Counts how often it was written to."""

    writes = 0

    def write(self, executions: Sequence[Execution]) -> None:
        super().write(executions)
        self.writes += 1


@pytest.fixture
async def gathering(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[HistoryWriter, CountingFile]]:
    """A writer that has just written, and would gather states for an hour now."""
    monkeypatch.setattr(writer, "GATHERING_SECONDS", 3600.0)
    file = CountingFile(tmp_path / FILE_NAME, clock)
    gatherer = HistoryWriter(file, Bounds(10, 3600.0))
    await gatherer.open()
    gatherer.note(an_execution("exec_first"))
    await until(lambda: not gatherer.backlog)
    file.writes = 0
    yield gatherer, file
    await gatherer.close()


async def test_states_that_nobody_waits_for_are_gathered(
    gathering: tuple[HistoryWriter, CountingFile],
) -> None:
    """Until somebody waits for one of them: that writes all, each in its latest state."""
    gatherer, file = gathering
    for number in range(30):
        for sequence in range(1, 9):
            gatherer.note(an_execution(f"exec_{number}", sequence=sequence))
            await asyncio.sleep(0)
    assert file.writes == 0
    assert await gatherer.committed("exec_7")
    stored = [file.reader.get(f"exec_{number}") for number in range(30)]
    assert [one.sequence for one in stored if one is not None] == [8] * 30
    assert file.writes == 1


async def test_an_end_is_not_waited_for(gathering: tuple[HistoryWriter, CountingFile]) -> None:
    """It is written at once, with what was gathered by then, and what comes later gathers anew."""
    gatherer, file = gathering
    gatherer.note(an_execution("exec_1"))
    gatherer.note(ended(2))
    await until(lambda: not gatherer.backlog)
    assert file.writes == 1
    gatherer.note(an_execution("exec_3"))
    await asyncio.sleep(0)
    assert file.reader.get("exec_3") is None
    assert len(gatherer.backlog) == 1


async def test_more_than_a_transaction_is_written_in_several(
    gathering: tuple[HistoryWriter, CountingFile],
) -> None:
    """One after the other, without anything that wakes it in between."""
    gatherer, file = gathering
    for number in range(AT_ONCE + 1):
        gatherer.note(an_execution(f"exec_{number}"))
    assert await gatherer.committed("exec_0")
    await until(lambda: not gatherer.backlog)
    assert file.writes == 2


async def test_a_gathered_state_is_written_before_long(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """By itself, at once or a little later, and again and again."""
    async with database.history(clock) as history:
        for number in range(3):
            history.note(an_execution(f"exec_{number}"))
            store = database.store(clock)
            await until(lambda store=store, id=f"exec_{number}": store.reader.get(id) is not None)
            store.close()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_what_runs_is_on_no_page_of_what_has_ended(
    database: HistoryDatabase, clock: VirtualClock, size: int
) -> None:
    """Nor does it move a page, though its start is still to be written."""
    async with database.history(clock) as history:
        for number in range(7):
            history.note(ended(number))
            assert await history.committed(f"exec_{number}")
        latest = ended(3, at=EPOCH_MS + 100)
        seen: list[Execution] = []
        for page in range(1, 9):
            # Until somebody else has a turn, all of this waits.
            history.note(latest)
            for number in range(20, 25):
                history.note(an_execution(f"exec_{number}", status=Status.RUNNING))
            found, total = await history.ended_page(page, size)
            assert total == 7
            seen += found
        assert seen == [latest, *(ended(number) for number in (6, 5, 4, 2, 1, 0))]


async def test_what_is_live_counts_in_place_of_what_is_kept(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Once, and as it is now."""
    async with database.history(clock) as history:
        for number in range(3):
            history.note(ended(number))
            await history.committed(f"exec_{number}")
        live = [an_execution("exec_1", status=Status.RUNNING), an_execution("exec_9")]
        found = await history.merged_page(live)
        assert {one.id for _, one in found.page.items} == {"exec_0", "exec_1", "exec_2", "exec_9"}
        assert found.counts[Status.COMPLETED] == 2
        assert (found.counts[Status.RUNNING], found.counts[Status.QUEUED]) == (1, 1)
        running = ExecutionFilter(status=frozenset({Status.RUNNING}))
        found = await history.merged_page(live, running, request=PageRequest(first=1))
        assert ([one for _, one in found.page.items], found.total) == ([live[0]], 1)


async def test_what_is_live_counts_in_place_of_what_waits(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Output is not noted: what was noted last is older than what is live."""
    running = after(an_execution("exec_1"), Began("exec_1", 1), StageStarted("exec_1", 2, 0))
    talking = after(running, said("exec_1", 3, 0, "so far"))
    async with database.history(clock) as history:
        history.note(running)
        found = await history.merged_page([talking])
        assert [one for _, one in found.page.items] == [talking]


async def test_what_a_crash_left_open_is_ended(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """FAILED with SERVER_RESTART, its last stage FAILED; CANCELLED if that was under way."""
    queued = an_execution("exec_1")
    running = after(an_execution("exec_2"), Began("exec_2", 1), StageStarted("exec_2", 2, 0))
    stopping = after(
        an_execution("exec_3"),
        Began("exec_3", 1),
        StageStarted("exec_3", 2, 0),
        CancelRequested("exec_3", 3, "enough"),
    )
    store = database.store(clock)
    store.write([queued, running, stopping, *(an_execution(f"exec_x{n}") for n in range(500))])
    store.close()
    async with database.history(clock) as history:
        found = [await history.get(f"exec_{number}") for number in (1, 2, 3)]
        _, total = await history.ended_page(1, 1)
    assert total == 503
    first, second, third = found
    assert first and second and third
    assert (first.status, first.end_reason) == (Status.FAILED, EndReason.SERVER_RESTART)
    assert (second.status, second.ended_at) == (Status.FAILED, EPOCH_MS)
    assert (second.current_stage, second.stages[0].status) == (1, StageStatus.FAILED)
    assert second.error == second.stages[0].error
    assert isinstance(second.error, Failure)
    assert (second.error.type, second.error.stage_id) == ("ServerRestart", "one")
    assert second.sequence == running.sequence + 1
    assert (third.status, third.stages[0].status) == (Status.CANCELLED, StageStatus.CANCELLED)


async def until_total(history: History, number: int) -> None:
    async with asyncio.timeout(30):
        while (await history.ended_page(1, 1))[1] != number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_the_newest_ends_are_kept(database: HistoryDatabase, clock: VirtualClock) -> None:
    """As many as `max_records`; what runs is not counted."""
    async with database.history(clock, max_records=100) as history:
        history.note(an_execution("exec_running"))
        for number in range(3000):
            history.note(ended(number))
        await until_total(history, 100)
        found, _ = await history.ended_page(1, 200)
        assert [one.id for one in found] == [f"exec_{n}" for n in range(2999, 2899, -1)]
        assert await history.get("exec_running") is not None
        assert await history.get("exec_1") is None


async def test_what_ended_too_long_ago_is_forgotten(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """After `max_age_seconds`."""
    async with database.history(clock, max_age_seconds=60) as history:
        for number in range(500):
            history.note(ended(number, at=EPOCH_MS))
        await until_total(history, 500)
        clock.advance(59)
        history.note(ended(999, at=clock.now()))
        assert await history.committed("exec_999")
        await until_total(history, 501)
        clock.advance(61)
        latest = ended(1000, at=clock.now())
        history.note(latest)
        await until_total(history, 1)
        assert await history.get("exec_1000") == latest


async def test_closing_writes_everything_and_leaves_no_thread(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it is busy; and the log of the database is merged into its file."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 60.0)
    before = set(threading.enumerate())
    async with History(tmp_path, clock) as history:
        for number in range(2000):
            history.note(ended(number))
        reading = [asyncio.create_task(history.ended_page(1, 100)) for _ in range(5)]
        await asyncio.sleep(0)
    assert [total for _, total in await asyncio.gather(*reading)] == [2000] * 5
    await until(lambda: set(threading.enumerate()) <= before)
    assert names(tmp_path) == [FILE_NAME]
    async with History(tmp_path, clock) as history:
        assert (await history.ended_page(1, 1))[1] == 2000


def test_a_history_that_was_never_closed_keeps_no_process_alive(tmp_path: Path) -> None:
    """Its threads end with the process."""
    program = f"""
import asyncio, pathlib
from runcast.core.clock import SystemClock
from runcast.core.history import History

async def main():
    history = await History(pathlib.Path({str(tmp_path)!r}), SystemClock()).__aenter__()
    await history.ended_page(1, 1)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
