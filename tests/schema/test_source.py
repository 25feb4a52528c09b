"""Places in the text of a document."""

from graphql import Source
from hypothesis import given, strategies as st
from runcast.schema.source import DocumentSource


@given(text=st.text("a\n\r\u2028é", max_size=20))
def test_places_are_those_of_graphql_core(text: str) -> None:
    """Of each character, and behind the last one."""
    source, expected = DocumentSource(text), Source(text)
    for position in range(len(text) + 1):
        assert source.get_location(position) == expected.get_location(position)
