"""The history knows what was started by which idempotency key, for as long as it has it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from history_database import HistoryDatabase, tamper
from runcast.core.errors import Unavailable
from runcast.core.execution.model import Execution, StartKey, Status
from runcast.core.history import FILE_NAME, History
from runcast.core.history.table import RECORDS
from samples import an_execution
from sqlalchemy import update
from virtual_clock import EPOCH_MS, VirtualClock

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def keyed(number: int, key: str | None = None, **values: Any) -> Execution:
    start_key = StartKey(key or f"key {number}", f"digest {number}")
    return an_execution(f"exec_{number}", start_key=start_key, **values)


def ended(number: int, key: str | None = None) -> Execution:
    return keyed(
        number, key, status=Status.COMPLETED, began_at=EPOCH_MS, ended_at=EPOCH_MS, sequence=9
    )


async def test_a_start_is_found_by_its_key(database: HistoryDatabase, clock: VirtualClock) -> None:
    """While it waits to be written, when it is written, as it goes on, and after a restart."""
    async with database.history(clock) as history:
        history.note(keyed(1))
        assert await history.started_by("key 1") == keyed(1)
        assert await history.committed("exec_1")
        assert await history.started_by("key 1") == keyed(1)
        history.note(ended(1))
        assert await history.started_by("key 1") == ended(1)
        history.note(an_execution("exec_2"))
        assert await history.committed("exec_2")
        assert await history.started_by("") is None
        assert await history.started_by("key 2") is None
    async with database.history(clock) as history:
        assert await history.started_by("key 1") == ended(1)


@pytest.mark.parametrize("key", ["k", "K", "ß😀", "%", "_", "'", "k" * 200])
async def test_a_key_is_found_as_a_whole(
    database: HistoryDatabase, clock: VirtualClock, key: str
) -> None:
    """Character by character: another spelling is another key."""
    async with database.history(clock) as history:
        history.note(ended(1, key))
        assert await history.committed("exec_1")
        assert await history.started_by(key) == ended(1, key)
        for other in (key + " ", key[:-1], key.swapcase() + "x", "%", "_"):
            assert other == key or await history.started_by(other) is None


async def test_a_key_is_there_as_soon_as_the_start_is_acknowledged(
    tmp_path: Path, clock: VirtualClock
) -> None:
    """It is in the row of the execution: whoever reads the file finds both, or neither."""
    sql = "SELECT start_key, start_digest, status FROM executions"
    async with History(tmp_path, clock) as history:
        history.note(keyed(1))
        assert await history.committed("exec_1")
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
            assert connection.execute(sql).fetchall() == [(b"key 1", "digest 1", "QUEUED")]


async def test_a_key_is_free_again_when_its_execution_was_forgotten(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """By number or by age."""
    async with database.history(clock, max_records=2, max_age_seconds=60) as history:
        for number in range(3):
            history.note(ended(number))
            await history.committed(f"exec_{number}")
        await until_free(history, "key 0")
        assert await history.started_by("key 1") is not None
        clock.advance(61)
        history.note(an_execution("exec_9", status=Status.FAILED, ended_at=clock.now()))
        await until_free(history, "key 1", "key 2")


async def until_free(history: History, *keys: str) -> None:
    """Returns when nothing is found by any of the keys."""
    async with asyncio.timeout(30):
        for key in keys:
            while await history.started_by(key) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_record_that_cannot_be_read_has_its_key(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """It was started all the same."""
    async with database.history(clock) as history:
        history.note(ended(1))
    with closing(database.store(clock)) as store:
        tamper(store, update(RECORDS).values(content=b"\0"))
    async with database.history(clock) as history:
        found = await history.started_by("key 1")
        assert found is not None
        assert (found.id, found.start_key) == ("exec_1", StartKey("key 1", "digest 1"))


async def test_a_table_that_cannot_be_read_is_no_answer(
    database: HistoryDatabase, clock: VirtualClock
) -> None:
    """Nobody may take that for a key that is free."""
    async with database.history(clock) as history:
        history.note(ended(1))
        assert await history.committed("exec_1")
        with closing(database.store(clock)) as store:
            tamper(store, "DROP TABLE records")
        with pytest.raises(Unavailable):
            await history.started_by("key 1")
