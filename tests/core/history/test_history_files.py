"""What belongs to records and is in files: it is looked for at the start, a little at a time."""

from collections.abc import Collection
from pathlib import Path
from threading import get_ident

import pytest
from history_database import HistoryDatabase
from patience import until
from runcast.core.execution.model import Execution, Status
from runcast.core.history import History
from runcast.core.history.writer import SWEPT_AT_ONCE
from samples import an_execution
from virtual_clock import EPOCH_MS, VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")


class Files:
    """Implements `RecordFiles`: there is something of each of these."""

    def __init__(self, owners: Collection[str]) -> None:
        self.owned = set(owners)
        self.removed: list[Collection[str]] = []
        self.gone: list[str] = []
        self.threads: set[int] = set()

    def owners(self) -> Collection[str]:
        self.threads.add(get_ident())
        return self.owned

    def interrupted(self, execution: Execution, at: int) -> Execution:
        return execution

    def forgotten(self, execution_ids: Collection[str]) -> None:
        self.threads.add(get_ident())
        self.gone += execution_ids

    def ownerless(self, execution_ids: Collection[str]) -> None:
        self.threads.add(get_ident())
        if execution_ids:
            self.removed.append(execution_ids)


def ended(number: int) -> Execution:
    at = EPOCH_MS + number
    return an_execution(
        f"exec_{number}", status=Status.COMPLETED, started_at=at, ended_at=at, sequence=9
    )


async def test_files_without_a_record_are_removed(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Those that were there at the start, a few at a time, and never in the event loop."""
    async with database.history(clock) as history:
        for number in range(0, 300, 3):
            history.note(ended(number))
    files = Files([f"exec_{number}" for number in range(300)])
    async with database.history(clock, files=files) as history:
        # What begins now has its files before its record, and is none of those.
        files.owned.add("exec_1000")
        history.note(ended(1000))
        assert await history.committed("exec_1000")
        await until(lambda: sum(map(len, files.removed)) == 200)
        assert await history.get("exec_297") is not None
    lost = {f"exec_{number}" for number in range(300) if number % 3}
    assert {id for ids in files.removed for id in ids} == lost
    assert max(map(len, files.removed)) <= SWEPT_AT_ONCE
    assert get_ident() not in files.threads
    assert files.gone == [], "of which there was a record"


async def test_files_go_with_their_record(database: HistoryDatabase, clock: VirtualClock) -> None:
    """Those of the records that are removed, and no others; not those that never had one."""
    files = Files([])
    async with database.history(clock, files=files, max_records=3) as history:
        for number in range(8):
            history.note(ended(number))
        await until(lambda: len(files.gone) == 5)
    assert sorted(files.gone) == [f"exec_{number}" for number in range(5)]
    assert files.removed == []
    assert get_ident() not in files.threads


async def test_a_history_that_cannot_be_read_removes_nothing(
    tmp_path: Path, clock: VirtualClock
) -> None:
    """Until it can be: then it knows what has a record."""
    async with History(tmp_path, clock) as history:
        history.note(ended(1))
    file = tmp_path / "history.db"
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    files = Files(["exec_1", "exec_2"])
    async with History(tmp_path, clock, files=files) as history:
        assert history.problem is not None and files.removed == []
        file.rmdir()
        (tmp_path / "elsewhere").rename(file)
        await until(lambda: files.removed)
        assert await history.get("exec_1") is not None
    assert files.removed == [["exec_2"]]
