"""The text of a document, which finds places in it at once."""

from graphql import Source, SourceLocation


class DocumentSource(Source):
    """As graphql-core's, which takes 20 ms for each error behind a hundred thousand lines."""

    def get_location(self, position: int) -> SourceLocation:
        """Line and column, each from 1, of a place in the text, counted from 0."""
        text = self.body
        feeds, returns = text.count("\n", 0, position), text.count("\r", 0, position)
        ends = feeds + returns - text.count("\r\n", 0, position)
        last = max(text.rfind("\n", 0, position), text.rfind("\r", 0, position))
        # The position may be inside a line's end.
        is_split = last >= 0 and text.startswith("\r\n", last)
        begin = last + (2 if is_split else 1)
        return SourceLocation(ends + 1, position + 1 - begin)
