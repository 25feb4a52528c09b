"""The output of a stage as views on a log."""

from hypothesis import given, strategies as st

TEXTS = st.lists(st.text(max_size=6), max_size=8)


def written(*texts: str) -> Output:
    output = Output()
    for text in texts:
        output = output.appended(text)
    return output


@given(TEXTS, st.integers(0, 50), st.none() | st.integers(0, 50))
def test_a_part_is_a_slice_of_the_whole(texts: list[str], offset: int, limit: int | None) -> None:
    """Wherever it begins and however long it is."""
    whole = "".join(texts)
    end = None if limit is None else offset + limit
    output = written(*texts)
    assert output.text(offset, limit) == whole[offset:end]
    assert output.length == len(whole)


@given(st.lists(st.tuples(st.integers(0, 100), st.text(max_size=4)), max_size=12))
def test_a_view_never_changes(appends: list[tuple[int, str]]) -> None:
    """Also when others, appended to any earlier view, go on."""
    views = [(Output(), "")]
    for pick, text in appends:
        view, whole = views[pick % len(views)]
        views.append((view.appended(text), whole + text))
    assert [view.text() for view, _ in views] == [whole for _, whole in views]


def test_what_was_dropped_is_counted() -> None:
    """Truncated as soon as one byte was not kept."""
    output = written("abc")
    assert not output.truncated
    more = output.appended("", dropped=5).appended("", dropped=2)
    assert (more.truncated, more.dropped, more.text()) == (True, 7, "abc")


def test_outputs_are_equal_by_their_content() -> None:
    """Not by the pieces that it came in."""
    assert written("ab", "c") == written("a", "bc")
    assert written("abc") != written("abd")
    assert written("abc") != written("abc").appended("", dropped=1)
    assert written("abc") != "abc"


def test_successive_views_share_their_pieces() -> None:
    """So a stage that writes n pieces does not cost n² memory."""
    first = written("a")
    assert first.appended("b")._pieces is first._pieces
