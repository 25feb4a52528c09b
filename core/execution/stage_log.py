"""How far the log of an attempt is, and its end: what of it is in memory."""

from dataclasses import dataclass, replace

from .log import LogPiece, LogStream

JOINED_CHARACTERS = 4096
TAIL_CHARACTERS = 65_536
"""How much of the log of a stage that runs is in memory; nothing, when it has ended."""


@dataclass(frozen=True, slots=True)
class StageLog:
    """The whole log is in a file. Offsets and lengths are in characters."""

    length: int = 0
    """Over all streams."""
    output_length: int = 0
    """Of stdout alone."""
    tail: tuple[LogPiece, ...] = ()
    """The latest pieces, without a gap between them."""
    head: str = ""
    """The beginning of stdout, where somebody has read it to show it."""
    of_value: bool = False
    """The stage has said nothing, and its value as text stands for that: it is in no file."""
    cut: bool = False
    """Whether more than `head` was written, and is nowhere: version 0.1 has cut it off."""

    @property
    def goes_on(self) -> bool:
        """Whether more than `head` was written to stdout."""
        return self.cut or self.output_length > len(self.head)

    def appended(
        self, piece: LogPiece, output_offset: int, *, of_value: bool = False
    ) -> "StageLog":
        """The same with another piece at its end; `output_offset` is how long stdout was before.

        A piece that begins later than this log ends leaves a gap: what is between them was too
        much to be told live.
        """
        so_far = self.tail if piece.offset == self.length else ()
        grown = len(piece.text) if piece.stream is LogStream.STDOUT else 0
        tail = _latest(_joined(so_far, piece))
        return StageLog(piece.end, output_offset + grown, tail, of_value=of_value)

    def closed(self) -> "StageLog":
        """The log of an attempt that has ended."""
        return StageLog(self.length, self.output_length, of_value=self.of_value)

    def output(self, offset: int, limit: int) -> str | None:
        """At most `limit` characters of stdout from `offset` on; None if they are not in memory."""
        if limit <= 0 or offset >= self.output_length:
            return ""
        if self.head and min(offset + limit, self.output_length) <= len(self.head):
            return self.head[offset : offset + limit]
        text = "".join(piece.text for piece in self.tail if piece.stream is LogStream.STDOUT)
        first = self.output_length - len(text)
        return None if offset < first else text[offset - first :][:limit]


EMPTY_LOG = StageLog()


def _joined(tail: tuple[LogPiece, ...], piece: LogPiece) -> tuple[LogPiece, ...]:
    """Many small pieces of one stream are one: a program may say a word at a time."""
    if not tail or tail[-1].stream is not piece.stream or len(tail[-1].text) > JOINED_CHARACTERS:
        return (*tail, piece)
    joined = replace(tail[-1], text=tail[-1].text + piece.text)
    return (*tail[:-1], joined)


def _latest(pieces: tuple[LogPiece, ...]) -> tuple[LogPiece, ...]:
    """The end of a log, of at most TAIL_CHARACTERS, but at least the latest piece."""
    surplus = sum(len(piece.text) for piece in pieces) - TAIL_CHARACTERS
    first = 0
    while surplus > 0 and first < len(pieces) - 1:
        surplus -= len(pieces[first].text)
        first += 1
    return pieces[first:]
