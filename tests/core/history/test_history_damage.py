"""A history file with a damaged page: the rest answers, and can be brought over to a new file."""

import os
import random
import shutil
from pathlib import Path

import pytest
from runcast.core.execution.model import Execution, Status
from runcast.core.history import FILE_NAME, History
from runcast.core.history.check import faults
from runcast.core.history.file import HistoryFile
from runcast.core.history.rebuild import rebuilt
from samples import an_execution
from virtual_clock import EPOCH_MS, VirtualClock

PAGE = 4096
NUMBER = 150
ON_A_PAGE = 40
"""More than that are not on one page: each takes more than 100 bytes."""
EVERY = pytest.mark.parametrize(
    "some", [6, pytest.param(None, marks=pytest.mark.campaign)], ids=["some", "every page"]
)

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def ended(number: int) -> Execution:
    """One of three is large enough for a page of its own."""
    return an_execution(
        f"exec_{number:03}",
        input=f"input {number} " * (1 if number % 3 else 500),
        status=Status.COMPLETED,
        ended_at=EPOCH_MS + number,
        sequence=9,
    )


ALL = {one.id: one for one in map(ended, range(NUMBER))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all of them."""
    path = tmp_path_factory.mktemp("whole") / FILE_NAME
    file = HistoryFile(path, VirtualClock())
    file.write(list(ALL.values()))
    file.close()
    return path


def damaged(whole: Path, folder: Path, page: int, how: str) -> Path:
    """A copy of the file, in which one page is another."""
    folder.mkdir()
    path = folder / FILE_NAME
    shutil.copy(whole, path)
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(os.urandom(PAGE) if how == "noise" else b"\0" * PAGE)
    return path


def pages(whole: Path, some: int | None) -> list[int]:
    """Numbers of pages but for the first, without which it is no database."""
    every = range(2, whole.stat().st_size // PAGE + 1)
    return list(every) if some is None else random.Random(7).sample(every, some)


@EVERY
@pytest.mark.parametrize("how", ["noise", "zeros"])
async def test_a_damaged_page_hides_only_what_was_on_it(
    tmp_path: Path, whole: Path, clock: VirtualClock, how: str, some: int | None
) -> None:
    """The list answers, what is whole is as it was, and it goes on to be written."""
    for page in pages(whole, some):
        path = damaged(whole, tmp_path / str(page), page, how)
        async with History(path.parent, clock) as history:
            found, total = await history.ended_page(1, NUMBER)
            assert total == len(found) > NUMBER - ON_A_PAGE, page
            got = [await history.get(id) for id in ALL]
            assert all(one is None or one == ALL[one.id] or one.error for one in got), page
            same = {one.id for one in got if one is not None and not one.error}
            assert ALL.keys() - same <= {one.execution_id for one in history.problems}, page
            history.note(ended(1000))
            assert await history.committed("exec_1000"), page
            found, _ = await history.ended_page(1, 1)
            assert found == [ended(1000)], page


@EVERY
@pytest.mark.parametrize("how", ["noise", pytest.param("zeros", marks=pytest.mark.campaign)])
def test_a_rebuilt_file_is_whole(tmp_path: Path, whole: Path, how: str, some: int | None) -> None:
    """It has all that can be read, what is missing is named, and the damaged file stays."""
    for page in pages(whole, some):
        path = damaged(whole, tmp_path / str(page), page, how)
        before = path.read_bytes()
        result = rebuilt(path, EPOCH_MS)
        assert list(faults(path)) == [], page
        assert result.aside.read_bytes() == before
        file = HistoryFile(path, VirtualClock())
        got = {id: file.reader.get(id) for id in ALL}
        file.close()
        other = {id for id, one in got.items() if one != ALL[id]}
        assert other <= result.lost.keys(), page
        assert len(other) < ON_A_PAGE or all(got[id] for id in other), page


def test_a_file_that_cannot_be_opened_is_moved_aside_all_the_same(
    tmp_path: Path, whole: Path
) -> None:
    """Nothing is in the new one."""
    path = damaged(whole, tmp_path / "1", 1, "noise")
    result = rebuilt(path, EPOCH_MS)
    assert (result.executions, result.lost) == (0, {})
    assert list(faults(path)) == []


def test_a_whole_file_has_no_faults(whole: Path) -> None:
    """And is not changed by looking."""
    before = whole.read_bytes()
    assert list(faults(whole)) == []
    assert whole.read_bytes() == before


def test_a_rebuild_that_fails_changes_nothing(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged file is where it was, and of the new one nothing is left."""
    path = damaged(whole, tmp_path / "3", 3, "noise")
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("runcast.core.history.rebuild._copied", fails)
    with pytest.raises(OSError, match="No space"):
        rebuilt(path, EPOCH_MS)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [FILE_NAME]
