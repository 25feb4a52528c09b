"""A history whose file cannot be written goes on when it can, and holds nobody up."""

import asyncio
import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from patience import until
from runcast.core.errors import Unavailable
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.history import FILE_NAME, History, writer
from runcast.core.history.file import HistoryFile
from runcast.core.history.writer import BACKLOG_LIMIT
from samples import an_execution
from sqlalchemy import Engine, event
from virtual_clock import EPOCH_MS, VirtualClock

NOBODY = 65534
NO_LIMIT = 2**30

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def ended(number: int, **values: Any) -> Execution:
    return an_execution(
        f"exec_{number}", status=Status.COMPLETED, ended_at=EPOCH_MS + number, sequence=9, **values
    )


async def total(history: History) -> int:
    return (await history.ended_page(1, 1))[1]


def fill(folder: Path, *executions: Execution) -> None:
    """What an earlier process has written."""
    file = HistoryFile(folder / FILE_NAME, VirtualClock())
    file.write(executions)
    file.close()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "runcast.history"]


class Disk:
    """SQLite may not have more than so many pages of it."""

    def __init__(self) -> None:
        self.pages = NO_LIMIT
        self.connections: list[sqlite3.Connection] = []

    def connected(self, connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")
        self.connections.append(connection)

    def limit(self, pages: int) -> None:
        self.pages = pages
        for connection in self.connections:
            connection.execute(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Where every database of this test is."""
    disk = Disk()
    event.listen(Engine, "connect", disk.connected)
    yield disk
    event.remove(Engine, "connect", disk.connected)


@contextmanager
def full(folder: Path, disk: Disk) -> Iterator[None]:
    """There is no room for one page more."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    disk.limit(pages)
    try:
        yield
    finally:
        disk.pages = NO_LIMIT


@contextmanager
def locked(folder: Path, disk: Disk) -> Iterator[None]:
    """Somebody else writes to the file and takes their time."""
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def rationed(folder: Path, disk: Disk) -> Iterator[None]:
    """The system lets no file of this process grow beyond what the database's log has now."""
    size = (folder / f"{FILE_NAME}-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("fault", "reason"), [(full, "full"), (locked, "locked"), (rationed, "I/O error")]
)
async def test_what_comes_while_nothing_can_be_written_is_written_later(
    tmp_path: Path,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Path, Disk], AbstractContextManager[None]],
    reason: str,
) -> None:
    """The first start waits for a moment, later ones do not; what is there can be read."""
    async with History(tmp_path, clock) as history:
        history.note(ended(0))
        assert await history.committed("exec_0")
        with fault(tmp_path, disk):
            for number in range(1, 21):
                history.note(ended(number, input="x" * 100_000))
            async with asyncio.timeout(10):
                assert not await history.committed("exec_1")
            assert history.problem is not None
            assert reason in history.problem
            history.note(an_execution("exec_start"))
            monkeypatch.setattr(writer, "PATIENCE_SECONDS", 600.0)
            async with asyncio.timeout(10):
                assert not await history.committed("exec_start")
            assert await total(history) == 21
        await until(lambda: history.problem is None)
        assert await history.committed("exec_start")
    assert len(messages(caplog)) == 2
    assert reason in messages(caplog)[0]
    assert "written again" in messages(caplog)[1]
    async with History(tmp_path, clock) as history:
        assert await total(history) == 22


async def test_a_folder_that_cannot_be_written_is_no_reason_not_to_start(
    clock: VirtualClock,
) -> None:
    """Nor to lose anything, once it can."""
    with tempfile.TemporaryDirectory() as name, unwritable(Path(name)) as make_writable:
        async with History(Path(name) / "data", clock) as history:
            assert history.problem is not None
            history.note(ended(1))
            assert not await history.committed("exec_1")
            with pytest.raises(Unavailable):
                await history.get("exec_2")
            assert await history.get("exec_1") == ended(1)
            make_writable()
            await until(lambda: history.problem is None)
            assert await history.committed("exec_1")
            assert await total(history) == 1


@contextmanager
def unwritable(folder: Path) -> Iterator[Callable[[], None]]:
    """Root may write anywhere, and is somebody else for a while."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)

    def make_writable() -> None:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o777)

    try:
        yield make_writable
    finally:
        make_writable()


async def test_a_file_that_is_locked_at_first_is_settled_later(
    tmp_path: Path, clock: VirtualClock, disk: Disk
) -> None:
    """What an earlier process left open is ended then, and what runs by now is not."""
    fill(tmp_path, an_execution("exec_left"))
    with locked(tmp_path, disk):
        async with asyncio.timeout(10):
            history = await History(tmp_path, clock).__aenter__()
        assert history.problem is not None
        history.note(an_execution("exec_runs"))
    await until(lambda: history.problem is None)
    left, runs = await history.get("exec_left"), await history.get("exec_runs")
    assert left and left.end_reason is EndReason.SERVER_RESTART
    assert runs and runs.status is Status.QUEUED
    await history.__aexit__(None, None, None)


def scribble(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


BREAKS: dict[str, Callable[[Path], object]] = {
    "no database": lambda path: path.write_text("[]" * 5000),
    "pages": scribble,
}


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_broken_file_is_moved_aside(
    tmp_path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    """Nothing of it is overwritten (defects B2 and B3 of the old server), and a new one begun."""
    path = tmp_path / FILE_NAME
    fill(tmp_path, *(ended(number) for number in range(100)))
    BREAKS[broken](path)
    content = path.read_bytes()
    aside = path.with_name(f"{FILE_NAME}.broken-{EPOCH_MS}")
    aside.write_text("an earlier one")
    async with History(tmp_path, clock) as history:
        assert history.problem is None
        assert await total(history) == 0
        history.note(ended(1))
        assert await history.committed("exec_1")
    assert aside.read_text() == "an earlier one"
    assert aside.with_name(f"{FILE_NAME}.broken-{EPOCH_MS + 1}").read_bytes() == content
    assert any("is damaged" in message for message in messages(caplog))
    async with History(tmp_path, clock) as history:
        assert await total(history) == 1


async def test_a_file_of_a_newer_version_is_left_alone(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither written to nor moved."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 0.1)
    fill(tmp_path, ended(1))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    async with History(tmp_path, clock) as history:
        assert history.problem is not None
        assert "newer" in history.problem
        history.note(ended(2))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM executions").fetchone() == (1,)


async def test_what_waits_is_bounded(
    tmp_path: Path, clock: VirtualClock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest ends are dropped and counted, never what runs; no start is left without an end."""
    async with History(tmp_path, clock) as history:
        history.note(an_execution("exec_0"))
        history.note(an_execution("exec_runs"))
        assert await history.committed("exec_runs")
        with locked(tmp_path, disk):
            for number in range(BACKLOG_LIMIT + 5):
                history.note(ended(number))
            assert not await history.committed("exec_0")
            assert len(history._writer.backlog) == BACKLOG_LIMIT
            for number in range(5):
                history.note(an_execution(f"exec_later_{number}"))
            assert len(history._writer.backlog) == BACKLOG_LIMIT
            assert history.problem is not None
            assert "10 ended executions were dropped" in history.problem
        await until(lambda: history.problem is None)
        await until(lambda: not history._writer.backlog)
        assert any("10 ended executions are missing" in message for message in messages(caplog))
        found, _ = await history.ended_page(1, 2000)
        assert {one.id for one in found} >= {f"exec_{n}" for n in range(10, BACKLOG_LIMIT + 5)}
        first, runs = await history.get("exec_0"), await history.get("exec_runs")
        assert first and first.end_reason is EndReason.SERVER_RESTART
        assert runs and runs.status is Status.QUEUED


async def test_many_ends_at_once_are_no_reason_to_drop_one(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file can be written, the bound of the backlog does not hold."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 60.0)
    async with History(tmp_path, clock) as history:
        for number in range(3 * BACKLOG_LIMIT):
            history.note(ended(number))
    async with History(tmp_path, clock) as history:
        assert await total(history) == 3 * BACKLOG_LIMIT


@pytest.mark.parametrize(
    "seconds", [0.3, pytest.param(writer.CLOSE_SECONDS, marks=pytest.mark.campaign)]
)
async def test_a_file_that_stays_locked_does_not_keep_the_server_from_stopping(
    tmp_path: Path,
    clock: VirtualClock,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    """It tries for 3 s, then says how much is missing."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", seconds)
    history = await History(tmp_path, clock).__aenter__()
    with locked(tmp_path, disk):
        history.note(ended(1))
        async with asyncio.timeout(9):
            await history.__aexit__(None, None, None)
    assert "the end of 1 executions is missing" in messages(caplog)[-1]
