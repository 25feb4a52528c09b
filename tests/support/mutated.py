"""Bytes that are nearly right, and where a network may cut them."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st

PLACES = st.floats(0, 1)
"""Of something: 0 is its beginning and 1 its end."""


def cut(data: bytes, places: Sequence[float]) -> list[bytes]:
    """The pieces between these places."""
    ends = sorted({0, len(data), *(int(place * len(data)) for place in places)})
    return [data[begin:end] for begin, end in pairwise(ends)]


def mutated(whole: st.SearchStrategy[bytes], tokens: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """What is whole with a few edits; a token is a piece that means something in its language."""
    put = st.one_of(st.sampled_from(tokens), st.binary(max_size=4))
    edit = st.tuples(PLACES, st.integers(0, 12), put, st.integers(1, 3))
    return st.builds(_edited, whole, st.lists(edit, max_size=4))


def _edited(data: bytes, edits: list[tuple[float, int, bytes, int]]) -> bytes:
    """Each takes so many bytes away at its place, and puts others there, perhaps several times."""
    for place, less, more, times in edits:
        at = int(place * len(data))
        data = data[:at] + more * times + data[at + less :]
    return data
