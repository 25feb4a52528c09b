"""The file that the history is kept in."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from executions_at_random import EXECUTIONS
from hypothesis import HealthCheck, given, settings, strategies as st
from runcast.core.execution.filter import EVERYTHING
from runcast.core.execution.model import Execution, Status
from runcast.core.execution.record import light
from runcast.core.history.file import HistoryFile
from samples import an_execution
from virtual_clock import EPOCH_MS, VirtualClock


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryFile]:
    """A file for all of them, for it takes a while to make one."""
    file = HistoryFile(tmp_path_factory.mktemp("history") / "history.db", VirtualClock())
    yield file
    file.close()


def ended(number: int, input: str = "hello") -> Execution:
    return an_execution(
        f"exec_{number}", status=Status.COMPLETED, ended_at=EPOCH_MS + number, input=input
    )


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(many=st.lists(EXECUTIONS, max_size=4))
def test_any_execution_is_kept_as_it_was(file: HistoryFile, many: list[Execution]) -> None:
    """Half surrogate pairs, NUL characters and large integers do no harm. Ids are made here."""
    many = [replace(one, id=f"exec_{number}") for number, one in enumerate(many)]
    file.write(many)
    for execution in many:
        assert file.reader.get(execution.id) == execution


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(states=st.lists(EXECUTIONS, min_size=1, max_size=3), sizes=st.data())
def test_lists_have_all_but_what_may_be_large(
    file: HistoryFile, states: list[Execution], sizes: st.DataObject
) -> None:
    """Of the latest state, whether that or the one before it is large."""
    for state in states:
        size = sizes.draw(st.sampled_from([0, 1 << 10, 1 << 15]))
        state = replace(state, id="exec_of_states", input="x" * size, ended_at=EPOCH_MS)
        file.write([state])
        found, _ = file.reader.ended({}, EVERYTHING, 0, 100, whole=False)
        [shown] = [one for one in found if one.id == state.id]
        assert shown == light(state)


def test_lists_do_not_read_large_records(tmp_path: Path) -> None:
    """They are as they were where the records cannot be read, and nothing is said to be damaged."""
    large = [
        ended(number, "x" * size) for number, size in enumerate((1, 1 << 10, 1 << 15, 1 << 20))
    ]
    with closing(HistoryFile(tmp_path / "history.db", VirtualClock())) as file:
        file.write(large)
        expected, _ = file.reader.ended({}, EVERYTHING, 0, 10, whole=False)
        with file._transaction() as connection:
            connection.exec_driver_sql("DELETE FROM records WHERE length(content) > 16384")
        found = {one.id: one for one in file.reader.ended({}, EVERYTHING, 0, 10, whole=False)[0]}
        assert found == {one.id: one for one in expected}
        assert file.damages.problem is None
        lost = file.reader.get(large[-1].id)
    assert lost is not None and lost.error is not None and lost.error.type == "DamagedRecord"


def test_a_record_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """It is told as far as its columns say what it was, and can be ended all the same."""
    file = HistoryFile(tmp_path / "history.db", VirtualClock())
    file.write([ended(1), an_execution("exec_2"), ended(3)])
    with file._transaction() as connection:
        connection.exec_driver_sql("UPDATE records SET content = x'00'")
    assert not file.settle(())
    found, total = file.reader.ended({}, EVERYTHING, 0, 10)
    file.close()
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
