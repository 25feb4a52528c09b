"""The list of executions, its filters, and how long an execution stays in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deadlines import eventually
from doors import Door, Refused
from server_process import ServerProcess, serving

Start = Callable[..., str]
Opening = Callable[[ServerProcess], Door]


@contextmanager
def open_door(opening: Opening, folder: Path, *flags: str) -> Iterator[Door]:
    """A door to a server of its own; nothing that runs has to be waited for at the end."""
    with serving(folder, *flags) as server:
        door = opening(server)
        yield door
        for row in door.running():
            door.cancel(str(row["id"]))


def ids(rows: list[dict[str, object]]) -> list[object]:
    return [row["id"] for row in rows]


@pytest.fixture
def one_of_each(door: Door, start: Start) -> dict[str, str]:
    """An execution for each word, all of them as settled as they get."""
    started = {
        "running": start("waiting"),
        "completed": start("echo"),
        "failed": start("failing"),
        "cancelled": start("waiting"),
    }
    door.cancel(started["cancelled"])
    wanted = {id: word for word, id in started.items()}

    def settled() -> bool:
        now = {row["id"]: row["status"] for row in door.list()}
        return all(now[id] == word for id, word in wanted.items())

    eventually(settled)
    return started


@pytest.mark.parametrize("word", ["running", "completed", "failed", "cancelled"])
def test_status_filter(door: Door, one_of_each: dict[str, str], word: str) -> None:
    """A status finds what has it, and nothing else."""
    rows = door.list(word)
    assert {row["status"] for row in rows} == {word}
    assert set(ids(rows)) & set(one_of_each.values()) == {one_of_each[word]}


def test_several_statuses(door: Door, one_of_each: dict[str, str]) -> None:
    """Several statuses find what has one of them."""
    found = set(ids(door.list("failed", "cancelled"))) & set(one_of_each.values())
    assert found == {one_of_each["failed"], one_of_each["cancelled"]}


def test_no_filter(door: Door, one_of_each: dict[str, str]) -> None:
    """Without a filter everything is there, newest first."""
    rows = door.list()
    assert set(one_of_each.values()) <= set(ids(rows))
    assert [row["startTime"] for row in rows] == sorted(
        (row["startTime"] for row in rows), reverse=True
    )


def test_running_list(door: Door, one_of_each: dict[str, str]) -> None:
    """The running list is the list of what runs."""
    assert set(ids(door.running())) & set(one_of_each.values()) == {one_of_each["running"]}


def test_unknown_status(door: Door) -> None:
    """An unknown status is refused by name, with the way to the known ones."""
    with pytest.raises(Refused, match="bogus") as refused:
        door.list("bogus")
    assert refused.value.code == "INVALID_INPUT"
    assert "running, completed, failed, cancelled" in refused.value.message or (
        "ExecutionStatus" in refused.value.message
    )


def test_leaves_after_retention(opening: Opening, tmp_path: Path) -> None:
    """After the retention an execution is gone from the lists; by its id the history has it."""
    with open_door(opening, tmp_path, "--retention", "0.3") as door:
        stays, goes = door.start("waiting", "stays"), door.start("echo", "goes")
        eventually(lambda: ids(door.list()) == [stays])
        historic = door.detail(goes)
        assert historic is not None and historic["status"] == "completed"
        assert door.cancel(goes) in ("REFUSED", "ALREADY_ENDED")
        assert door.detail(stays) is not None


def test_leaves_the_history(opening: Opening, tmp_path: Path) -> None:
    """What the history no longer holds either is unknown by its id."""
    with open_door(opening, tmp_path, "--retention", "0.3", "--history-max", "1") as door:
        first = door.start("echo", "first")
        eventually(lambda: not door.running())
        door.start("echo", "second")
        eventually(lambda: not door.list())
        eventually(lambda: door.detail(first) is None)
        assert door.cancel(first) in ("REFUSED", "NOT_FOUND")


def test_capacity(opening: Opening, tmp_path: Path) -> None:
    """With every place taken a start is refused as CAPACITY, and nothing is changed."""
    with open_door(opening, tmp_path, "--max-concurrent", "1", "--queue", "0") as door:
        first = door.start("waiting", "first")
        with pytest.raises(Refused, match="--max-concurrent") as refused:
            door.start("waiting", "second")
        assert refused.value.code == "CAPACITY"
        assert ids(door.list()) == [first]
        door.cancel(first)
        eventually(lambda: not door.running() and _accepts(door))
        assert len(door.list()) == 2


def test_queue(opening: Opening, tmp_path: Path) -> None:
    """What waits for its turn counts as running, can be cancelled, and begins in its turn."""
    with open_door(opening, tmp_path, "--max-concurrent", "1", "--queue", "2") as door:
        first, second, third = (door.start("waiting", word) for word in ("1", "2", "3"))
        assert ids(door.running()) == [third, second, first]
        door.cancel(second)
        door.cancel(first)
        eventually(lambda: _stage(door, third) == 1)
        assert _stage(door, second) == 0


def _accepts(door: Door) -> bool:
    try:
        return bool(door.start("waiting", "third"))
    except Refused:
        return False


def _stage(door: Door, id: str) -> object:
    [row] = [row for row in door.list() if row["id"] == id]
    return row["currentStage"]
