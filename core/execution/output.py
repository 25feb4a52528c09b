"""The text that a stage has put out so far: a frozen view on a log that only grows."""

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The first `length` characters of an append-only log of pieces.

    `appended` returns a longer view and leaves this one as it was. Successive views share the
    pieces, so a stage that writes in n pieces costs O(n), not O(n²).
    """

    length: int = 0
    dropped: int = 0
    """Bytes that were counted but not kept, because the stage's `maxOutputBytes` was reached."""
    _pieces: list[str] = field(default_factory=list, repr=False)
    _starts: list[int] = field(default_factory=list, repr=False)

    @property
    def truncated(self) -> bool:
        """Whether the stage put out more than was kept."""
        return self.dropped > 0

    def appended(self, text: str, dropped: int = 0) -> "Output":
        """A view that also holds `text`; `dropped` more bytes were not kept."""
        pieces, starts = self._pieces, self._starts
        if not self._is_newest():
            pieces, starts = [self.text()], [0]
        if text:
            starts.append(self.length)
            pieces.append(text)
        return Output(self.length + len(text), self.dropped + dropped, pieces, starts)

    def text(self, offset: int = 0, limit: int | None = None) -> str:
        """At most `limit` characters from `offset` on; "" past the end."""
        end = self.length if limit is None else min(self.length, offset + limit)
        if offset >= end:
            return ""
        first = bisect_right(self._starts, offset) - 1
        last = bisect_right(self._starts, end - 1)
        joined = "".join(self._pieces[first:last])
        start = offset - self._starts[first]
        return joined[start : start + end - offset]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Output):
            return NotImplemented
        return self.dropped == other.dropped and self.text() == other.text()

    __hash__ = None  # type: ignore[assignment]

    def _is_newest(self) -> bool:
        if not self._pieces:
            return True
        return self._starts[-1] + len(self._pieces[-1]) == self.length
