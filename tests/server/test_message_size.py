"""How large a body is, with its escapes and without."""

import json

import pytest
from hypothesis import given, strategies as st
from runcast.server.message_size import (
    MAX_BYTES,
    MAX_UNESCAPED_BYTES,
    MessageSize,
    unescaped_size,
)

TEXTS = st.text(st.sampled_from('\\"u\n/é😀\0a[') | st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
def test_an_escape_is_one_byte(text: str) -> None:
    """However long it is; what is beyond the first plane of Unicode has two of them."""
    assert unescaped_size(json.dumps(text).encode()) == len(text.encode("utf-16-le")) // 2 + 2


@given(TEXTS)
def test_what_is_no_escape_is_as_long_as_it_is(text: str) -> None:
    """In bytes of UTF-8."""
    plain = text.replace("\\", "")
    assert unescaped_size(plain.encode()) == len(plain.encode())


@given(TEXTS, st.lists(st.integers(0, 100), max_size=3))
def test_an_escape_may_be_cut_in_two(text: str, cuts: list[int]) -> None:
    """Each end of a piece adds five bytes at most, and takes one."""
    whole = json.dumps(text).encode()
    ends = sorted({min(cut, len(whole)) for cut in cuts})
    pieces = [whole[start:end] for start, end in zip([0, *ends], [*ends, len(whole)], strict=True)]
    added = sum(map(unescaped_size, pieces)) - unescaped_size(whole)
    assert -len(ends) <= added <= 5 * len(ends)


@pytest.mark.parametrize(
    ("piece", "limit"), [(b"a", MAX_UNESCAPED_BYTES), (rb"\u0061", MAX_BYTES // 6)], ids=repr
)
def test_the_last_piece_that_fits(piece: bytes, limit: int) -> None:
    """Whichever of the two limits is reached first; from then on nothing fits."""
    size = MessageSize()
    assert size.fits(piece * (limit - 1)) and size.fits(piece)
    assert not size.fits(piece)
    assert not size.fits(b"")
