"""Places to resume from."""

import pytest
from hypothesis import given, strategies as st
from runcast.core.errors import InvalidInput
from runcast.core.execution.cursor import Cursor

EPOCHS = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32)


@given(EPOCHS, st.integers(0, 10**18 - 1))
def test_a_cursor_comes_back_as_it_was(epoch: str, sequence: int) -> None:
    """From its text."""
    assert Cursor.parse(str(Cursor(epoch, sequence))) == Cursor(epoch, sequence)


@pytest.mark.parametrize(
    "text", ["", ":", "abc", "abc:", ":1", "abc:-1", "ABC:1", "a b:1", "abc:1\n", "abc:١", "a:1:2"]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """With the argument that it came in."""
    with pytest.raises(InvalidInput) as refused:
        Cursor.parse(text)
    assert refused.value.path == ("after",)


def test_a_cursor_has_bounds() -> None:
    """A long one costs no work."""
    for text in ("a" * 33 + ":1", "a:" + "1" * 19):
        with pytest.raises(InvalidInput):
            Cursor.parse(text)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """Nothing else is raised."""
    try:
        assert Cursor.parse(text).sequence >= 0
    except InvalidInput as refused:
        assert refused.code == "INVALID_INPUT"
