"""A history file of an earlier version is taken over whole."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from runcast.core.execution.filter import EVERYTHING
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.execution.page import Order, OrderField, PageRequest
from runcast.core.history import FILE_NAME, History, versions
from runcast.core.history.file import HistoryFile
from samples import an_execution
from virtual_clock import EPOCH_MS, VirtualClock

VERSION_1 = Path(__file__).parents[2] / "support" / "history_version_1.sql"
BEGAN = 1_799_990_000_000


def id_of(number: int) -> str:
    """The execution that was started so many milliseconds after BEGAN."""
    return f"exec_{BEGAN + number}_version1"


WAITED, NEVER_BEGAN, FAILED, SKIPPED, RUNNING, QUEUED, BROKEN = map(id_of, (1, 2, 3, 5, 6, 7, 8))
RETRIED = id_of(90_000)
ENDED = {WAITED, NEVER_BEGAN, FAILED, RETRIED, SKIPPED, BROKEN}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of version 1."""
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text())
    return path


@pytest.fixture
def file(old: Path) -> Iterator[HistoryFile]:
    """The same, brought up to date."""
    file = HistoryFile(old, VirtualClock())
    file.write([])
    yield file
    file.close()


def schema(path: Path) -> dict[str, set[object]]:
    """The columns and the index of each name."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name FROM sqlite_schema").fetchall()
        found: dict[str, set[object]] = {"version": set(connection.execute("PRAGMA user_version"))}
        for kind, name in names:
            pragma = "table_info" if kind == "table" else "index_xinfo"
            rows = connection.execute(f"SELECT * FROM pragma_{pragma}(?)", (name,))
            # Without the number of a column: a new one may have been put behind the others.
            found[name] = {(row[1:] if kind == "table" else row[2:]) for row in rows}
        return found


def of(file: HistoryFile, execution_id: str) -> Execution:
    found = file.reader.get(execution_id)
    assert found is not None
    return found


async def test_everything_is_there(old: Path) -> None:
    """What had ended as it was, and what had not is ended, as after any restart."""
    async with History(old.parent, VirtualClock()) as history:
        assert history.problem is None
        found, total = await history.ended_page(1, 50)
        assert total == 8
    executions = {one.id: one for one in found}
    assert executions.keys() == ENDED | {RUNNING, QUEUED}
    for one in (RUNNING, QUEUED):
        assert executions[one].end_reason is EndReason.SERVER_RESTART
        assert executions[one].ended_at == EPOCH_MS
    assert executions[RUNNING].stages[0].log.head == "so far"
    assert executions[WAITED].output == {"n": 2**70}
    assert executions[FAILED].input == "half \ud800 and \0"
    assert executions[FAILED].labels == (("team", "ä\ud800"), ("nul", "\0"))
    assert executions[RETRIED].retry_of == FAILED
    assert executions[BROKEN].status is Status.FAILED


def test_it_is_no_different_from_a_new_one(file: HistoryFile, tmp_path: Path) -> None:
    """The same columns and the same indexes."""
    new = HistoryFile(tmp_path / "new" / FILE_NAME, VirtualClock())
    new.write([])
    new.close()
    assert schema(file.path) == schema(new.path)


@pytest.mark.parametrize(
    ("execution_id", "queued", "lasted"),
    [
        (WAITED, 26_001, 289),
        (NEVER_BEGAN, 26_000, 0),
        (FAILED, 500, 60),
        (RETRIED, 1005, 26),
        (SKIPPED, 0, 703),
        (BROKEN, 0, 310),
    ],
    ids=["waited", "never began", "failed", "retried", "skipped", "broken"],
)
def test_waiting_is_taken_out_of_durations(
    file: HistoryFile, execution_id: str, queued: int, lasted: int
) -> None:
    """As far as the old records can tell; what the list is sorted by is what is shown."""
    execution = of(file, execution_id)
    assert execution.queued_ms(EPOCH_MS) == queued
    assert execution.duration_ms(EPOCH_MS) == lasted
    with file._transaction() as connection:
        sql = "SELECT duration FROM executions WHERE id = ?"
        assert connection.exec_driver_sql(sql, (execution_id.encode(),)).scalar_one() == lasted


def test_they_are_sorted_by_how_long_they_ran(file: HistoryFile) -> None:
    """Page by page."""
    order, seen, after = Order(OrderField.DURATION), [], None
    while True:
        request = PageRequest(first=2, after=after)
        page = file.reader.page({}, EVERYTHING, order, request, EPOCH_MS).page
        seen += [execution.id for _, execution in page.items]
        if not page.has_next:
            break
        after = page.items[-1][0]
    assert seen == [SKIPPED, BROKEN, WAITED, FAILED, RETRIED, NEVER_BEGAN]


def test_it_grows_old_from_where_it_was(old: Path) -> None:
    """By its newest end, and not by a wall clock that says that a year has passed."""
    clock = VirtualClock()
    clock.advance(365 * 86_400)
    file = HistoryFile(old, clock)
    assert not file.prune(100, 3600)
    assert file.reader.ended({}, EVERYTHING, 0, 0)[1] == len(ENDED)
    clock.advance(3601)
    assert not file.prune(100, 3600)
    assert file.reader.ended({}, EVERYTHING, 0, 0)[1] == 0
    file.close()


def test_lists_of_version_2_have_large_records_too(tmp_path: Path) -> None:
    """Nothing is copied when the file is opened: what was stored before is read as it was."""
    path = tmp_path / FILE_NAME
    before, after = (
        an_execution(id, input="x" * (1 << 20), status=Status.FAILED, ended_at=EPOCH_MS)
        for id in ("before", "after")
    )
    with closing(HistoryFile(path, VirtualClock())) as file:
        file.write([before])
    new = schema(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "ALTER TABLE executions DROP COLUMN light;"
            "ALTER TABLE executions DROP COLUMN owner;"
            "ALTER TABLE age DROP COLUMN owner;"
            "PRAGMA user_version = 2"
        )
    with closing(HistoryFile(path, VirtualClock())) as file:
        file.write([after])
        found, _ = file.reader.ended({}, EVERYTHING, 0, 10, whole=False)
        assert {(one.id, one.input) for one in found} == {("before", ""), ("after", "")}
        assert file.reader.get("before") == before
        assert file.reader.get("after") == after
    assert schema(path) == new


def test_what_breaks_off_is_begun_again(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it happens, or nothing."""
    before = schema(old)

    def breaks(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, closing(HistoryFile(old, VirtualClock())) as file:
        patched.setattr(versions, "_fill", breaks)
        with pytest.raises(KeyboardInterrupt):
            file.write([])
    assert schema(old) == before
    with closing(HistoryFile(old, VirtualClock())) as file:
        file.write([])
        assert file.reader.ended({}, EVERYTHING, 0, 0)[1] == len(ENDED)


def test_an_empty_one_is_taken_over_too(tmp_path: Path) -> None:
    """There is nothing that could say how old it is."""
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text())
        connection.executescript("DELETE FROM executions; DELETE FROM records")
    with closing(HistoryFile(path, VirtualClock())) as file:
        assert not file.prune(100, 3600)
        assert file.reader.ended({}, EVERYTHING, 0, 0)[1] == 0
