"""The names of a log's segments."""

import pytest
from hypothesis import given, strategies as st
from runcast.core.execution.log import LogStream
from runcast.core.results.log_position import STREAMS, LogPosition

numbers = st.integers(0, 10**14)
positions = st.builds(
    LogPosition, numbers, st.tuples(numbers, numbers, numbers), st.tuples(numbers, numbers, numbers)
)


@given(positions)
def test_a_name_is_its_position(position: LogPosition) -> None:
    """All of it, and it may be part of a blob's name."""
    assert LogPosition.named(position.name) == position
    assert len(position.name) == 111


@given(st.lists(positions))
def test_names_sort_as_positions_do(positions: list[LogPosition]) -> None:
    """By the characters of all streams."""
    names = sorted(position.name for position in positions)
    found = [LogPosition.named(name) for name in names]
    totals = [position.characters_of(STREAMS) for position in found if position is not None]
    assert totals == sorted(totals)
    assert len(totals) == len(positions)


def test_numbers_of_streams() -> None:
    """Of one, of some, of none."""
    position = LogPosition(99, (1, 2, 4), (10, 20, 40))
    assert position.characters_of([LogStream.STDERR]) == 2
    assert position.characters_of({LogStream.STDOUT, LogStream.SYSTEM}) == 5
    assert position.bytes_of(STREAMS) == 70
    assert position.bytes_of([]) == 0


@pytest.mark.parametrize("name", ["", "1", "1-2-3-4-5-6-7", "x" * 111, f"{'0' * 15}-" * 7])
def test_other_names(name: str) -> None:
    """They are no position."""
    assert LogPosition.named(name) is None
