"""The database that the history is kept in."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from executions_at_random import EXECUTIONS
from history_database import HistoryDatabase, tamper
from hypothesis import HealthCheck, given, settings, strategies as st
from runcast.core.execution.filter import EVERYTHING
from runcast.core.execution.model import Execution, Status
from runcast.core.execution.record import light
from runcast.core.history.file import HistoryFile
from runcast.core.history.store import HistoryStore
from runcast.core.history.table import RECORDS
from samples import an_execution
from sqlalchemy import update
from virtual_clock import EPOCH_MS, VirtualClock


@pytest.fixture(scope="module")
def store(lasting_database: HistoryDatabase) -> Iterator[HistoryStore]:
    store = lasting_database.store(VirtualClock())
    yield store
    store.close()


def ended(number: int, input: str = "hello") -> Execution:
    return an_execution(
        f"exec_{number}", status=Status.COMPLETED, ended_at=EPOCH_MS + number, input=input
    )


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(many=st.lists(EXECUTIONS, max_size=4))
def test_any_execution_is_kept_as_it_was(store: HistoryStore, many: list[Execution]) -> None:
    """Half surrogate pairs, NUL characters and large integers do no harm. Ids are made here."""
    many = [replace(one, id=f"exec_{number}") for number, one in enumerate(many)]
    store.write(many)
    for execution in many:
        assert store.reader.get(execution.id) == execution


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(states=st.lists(EXECUTIONS, min_size=1, max_size=3), sizes=st.data())
def test_lists_have_all_but_what_may_be_large(
    store: HistoryStore, states: list[Execution], sizes: st.DataObject
) -> None:
    """Of the latest state, whether that or the one before it is large."""
    for state in states:
        size = sizes.draw(st.sampled_from([0, 1 << 10, 1 << 15]))
        state = replace(state, id="exec_of_states", input="x" * size, ended_at=EPOCH_MS)
        store.write([state])
        found, _ = store.reader.ended({}, EVERYTHING, 0, 100, whole=False)
        [shown] = [one for one in found if one.id == state.id]
        assert shown == light(state)


def test_lists_do_not_read_large_records(database: HistoryDatabase) -> None:
    """They are as they were where the records cannot be read, and nothing is said to be damaged."""
    large = [
        ended(number, "x" * size) for number, size in enumerate((1, 1 << 10, 1 << 15, 1 << 20))
    ]
    with closing(database.store(VirtualClock())) as store:
        store.write(large)
        expected, _ = store.reader.ended({}, EVERYTHING, 0, 10, whole=False)
        tamper(store, "DELETE FROM records WHERE length(content) > 16384")
        found = {one.id: one for one in store.reader.ended({}, EVERYTHING, 0, 10, whole=False)[0]}
        assert found == {one.id: one for one in expected}
        assert store.damages.problem is None
        lost = store.reader.get(large[-1].id)
    assert lost is not None and lost.error is not None and lost.error.type == "DamagedRecord"


def test_a_record_that_cannot_be_read_hides_no_other(database: HistoryDatabase) -> None:
    """It is told as far as its columns say what it was, and can be ended all the same."""
    store = database.store(VirtualClock())
    store.write([ended(1), an_execution("exec_2"), ended(3)])
    tamper(store, update(RECORDS).values(content=b"\0"))
    assert not store.settle(())
    found, total = store.reader.ended({}, EVERYTHING, 0, 10)
    store.close()
    assert total == 3
    assert {one.id: one.status for one in found} == {
        "exec_1": Status.COMPLETED,
        "exec_2": Status.FAILED,
        "exec_3": Status.COMPLETED,
    }
    assert {(one.pipeline_name, one.started_at) for one in found} == {("Demo", 1000)}


def test_the_file_does_not_grow_with_what_has_gone(tmp_path: Path) -> None:
    """New rows take the place of old ones."""
    file = HistoryFile(tmp_path / "history.db", VirtualClock())
    sizes = []
    for start in range(0, 2000, 100):
        file.write([ended(number, "x" * 5000) for number in range(start, start + 100)])
        while file.prune(300, 10**9):
            pass
        file.close()
        sizes.append(file.path.stat().st_size)
    assert file.reader.ended({}, EVERYTHING, 0, 0) == ([], 300)
    file.close()
    assert sizes[-1] < 1.5 * sizes[3]


def test_a_lower_bound_makes_the_file_smaller(tmp_path: Path) -> None:
    """What is given up is given back to the disk, in steps."""
    file = HistoryFile(tmp_path / "history.db", VirtualClock())
    file.write([ended(number, "x" * 5000) for number in range(1000)])
    file.close()
    before = file.path.stat().st_size
    while file.prune(10, 10**9):
        pass
    file.close()
    assert file.path.stat().st_size < before / 4


@pytest.mark.parametrize(("size", "limit"), [(500, 1 << 19), (300_000, 1 << 21)])
def test_so_many_bytes_are_kept(tmp_path: Path, size: int, limit: int) -> None:
    """The newest executions, and the file is no larger when all that was begun is done."""
    file = HistoryFile(tmp_path / "history.db", VirtualClock())
    number = 3 * limit // size
    for start in range(0, number, 1000):
        many = range(start, min(start + 1000, number))
        file.write([an_execution("exec_runs"), *(ended(one, "x" * size) for one in many)])
    while file.prune(10**9, 10**9, limit):
        pass
    found, total = file.reader.ended({}, EVERYTHING, 0, number)
    runs = file.reader.get("exec_runs")
    file.close()
    assert runs is not None and not runs.status.terminal
    assert {one.id for one in found} == {f"exec_{n}" for n in range(number - total, number)}
    assert limit / 3 < file.path.stat().st_size
    assert sum(len(str(one.input)) for one in found) < limit < total * (size + 2000) * 2
