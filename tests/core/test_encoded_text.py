"""Text that nobody decodes before somebody looks at it."""

import pytest
from hypothesis import example, given, strategies as st
from runcast.core.encoded_text import MOST_OF_CHARACTER, EncodedText, torn_bytes

BYTES = st.binary(max_size=12) | st.lists(
    st.sampled_from([b"a", b"\xff", b"\x80", "é".encode(), "€😀".encode(), "😀".encode()[:3]])
).map(b"".join)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_text_is_what_it_was(first: str, second: str) -> None:
    """Also joined of several, with its length in both measures."""
    text = EncodedText.joined([EncodedText.of(first), EncodedText(), EncodedText.of(second)])
    assert text.text == first + second
    assert (text.size, text.characters) == (len(text.data), len(first + second))


@pytest.mark.parametrize("half", ["\ud83d", "\udca9", "a\ud83db"])
def test_half_a_surrogate_pair_is_a_question_mark(half: str) -> None:
    """UTF-8 has none."""
    text = EncodedText.of(half)
    assert text.text == half.encode("utf-8", "replace").decode()
    assert text.characters == len(half)


@given(BYTES)
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
def test_bytes_are_decoded_as_python_does(data: bytes) -> None:
    """What is no UTF-8 is replaced, as many times."""
    text = EncodedText.of_bytes(data)
    assert text.text == data.decode("utf-8", "replace")
    assert (text.size, text.characters) == (len(text.data), len(text.text))


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=40)),
    st.integers(MOST_OF_CHARACTER, 20),
)
@example(["a" * 39, "😀" * 5], 4)
@example(["a" * 17, "b" * 25], 8)
def test_parts_are_the_whole(texts: list[str], most_bytes: int) -> None:
    """None is longer than that, none is empty, and no character is cut."""
    text = EncodedText.joined(map(EncodedText.of, texts))
    parts = text.parts(most_bytes)
    assert all(0 < part.size <= most_bytes for part in parts)
    assert "".join(part.text for part in parts) == "".join(texts)
    for part in parts:
        assert (part.size, part.characters) == (len(part.data), len(part.text))


@given(BYTES, BYTES)
@example(b"\xe2\x82", b"\xac")
@example(b"\xf0\x9f", b"x")
@example(b"\xe0\x80", b"\x80")
@example(b"\xed\xa0", b"\x80")
def test_without_what_is_torn_two_parts_are_decoded_as_one(first: bytes, second: bytes) -> None:
    """A program's output may be cut anywhere."""
    end = len(first) - torn_bytes(first)
    apart = first[:end].decode("utf-8", "replace") + (first[end:] + second).decode(
        "utf-8", "replace"
    )
    assert apart == (first + second).decode("utf-8", "replace")
