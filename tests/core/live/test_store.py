"""The executions in memory, and catching up with them."""

from dataclasses import replace

import pytest
from runcast.core.execution.events import ChangeKind
from runcast.core.execution.model import Execution, Status
from runcast.core.live.store import Store
from samples import an_execution, put


def changed(
    store: Store, id: str, sequence: int = 1, kind: ChangeKind = ChangeKind.STATUS_CHANGED
) -> Execution:
    execution = replace(an_execution(id), sequence=sequence)
    put(store, execution, kind)
    return execution


def known(store: Store, id: str, sequence: int) -> list[int] | None:
    changes = store.changes_since(id, sequence)
    return None if changes is None else [one.execution.sequence for one in changes]


def test_executions_are_held_in_the_order_of_their_start() -> None:
    """A change does not move one; only the latest state is found."""
    store = Store()
    changed(store, "a")
    changed(store, "b")
    latest = changed(store, "a", 2)
    assert [one.id for one in store.oldest_first()] == ["a", "b"]
    assert [one.id for one in store.newest_first()] == ["b", "a"]
    assert store.get("a") is latest
    assert len(store) == 2 and "a" in store


def test_nothing_is_left_of_one_that_was_removed() -> None:
    """It is returned as it was last."""
    store = Store()
    changed(store, "a")
    latest = changed(store, "a", 2)
    assert store.remove("a") is latest
    assert store.get("a") is None
    assert len(store) == 0 and "a" not in store and store._entries == {}


def test_the_ring_knows_the_latest_changes_only() -> None:
    """What it cannot tell completely, and what is not yet, is None."""
    store = Store(ring_size=3)
    for sequence in range(1, 6):
        changed(store, "a", sequence)
    assert known(store, "a", 5) == []
    assert known(store, "a", 4) == [5]
    assert known(store, "a", 2) == [3, 4, 5]
    assert known(store, "a", 1) is None
    assert known(store, "a", 6) is None


def test_the_ring_of_a_young_execution_knows_everything() -> None:
    """From its very first change on."""
    store = Store(ring_size=3)
    changed(store, "a")
    changed(store, "a", 2)
    assert known(store, "a", 0) == [1, 2]


def since(store: Store, version: int) -> list[tuple[str, bool]] | None:
    changed = store.list_since(version)
    if changed is None:
        return None
    return [(entry.execution.id, entry.entered > version) for entry in changed]


def test_the_list_tells_what_came_and_changed_oldest_change_first() -> None:
    """Each once, with whether it is new."""
    store = Store()
    changed(store, "a")
    changed(store, "b")
    seen = store.version
    changed(store, "c")
    changed(store, "b", 2)
    changed(store, "c", 2)
    assert since(store, seen) == [("b", False), ("c", True)]
    assert since(store, store.version) == []


def test_the_list_of_a_new_server_is_known() -> None:
    """A reader that saw it while nothing had run yet is told what came since, without a RESET."""
    store = Store()
    seen = store.version
    assert since(store, seen) == []
    changed(store, "a")
    assert since(store, seen) == [("a", True)]


def test_output_is_no_change_of_the_list() -> None:
    """Lists do not show it."""
    store = Store()
    changed(store, "a")
    seen = store.version
    changed(store, "a", 2, ChangeKind.OUTPUT)
    assert store.version == seen
    assert since(store, seen) == []


def test_a_departure_makes_older_versions_unknown() -> None:
    """For nothing of those that left is kept."""
    store = Store()
    changed(store, "a")
    changed(store, "b")
    seen = store.version
    store.remove("a")
    assert store.list_since(seen) is None
    assert since(store, store.version) == []
    changed(store, "c")
    assert since(store, store.version - 1) == [("c", True)]


@pytest.mark.parametrize("version", [0, 3])
def test_a_version_that_no_list_had_is_unknown(version: int) -> None:
    """0 is what a reader has that has seen a part of a list only."""
    store = Store()
    changed(store, "a")
    assert store.version == 2
    assert store.list_since(version) is None


def test_executions_by_status() -> None:
    """Newest start first, however late one has come to its status."""
    store = Store()
    first = changed(store, "a")
    changed(store, "b")
    changed(store, "c")
    waiting = store.newest_first([Status.QUEUED])
    assert [one.id for one in waiting] == ["c", "b", "a"]
    for id in ("c", "a"):
        running = replace(store.get(id) or first, sequence=2, status=Status.RUNNING)
        put(store, running)
    assert [one.id for one in store.newest_first([Status.RUNNING])] == ["c", "a"]
    assert [one.id for one in store.newest_first(list(Status))] == ["c", "b", "a"]
    store.remove("a")
    assert {status: n for status, n in store.counts.items() if n} == {
        Status.QUEUED: 1,
        Status.RUNNING: 1,
    }
