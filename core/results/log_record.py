"""The records that a segment of a log consists of, as bytes."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..encoded_text import EncodedText
from .log_position import STREAMS, LogPosition

HEADER = struct.Struct("<BIIq")
"""The kind, the text's length in bytes and in characters, epoch ms."""
LOSS = len(STREAMS)
"""The kind of a record that says why text before its segment is missing: see `Loss`."""
REASON_BYTES = 200
LOSS_BYTES = HEADER.size + REASON_BYTES + 20
"""A record of a loss is no longer."""


class LogRecord(NamedTuple):
    """Text of one stream. `kind` is its place in STREAMS, or LOSS; `data` is UTF-8."""

    kind: int
    characters: int
    at: int
    data: bytes | memoryview

    @property
    def text(self) -> str:
        return str(self.data, "utf-8", "replace")


def header(kind: int, text: EncodedText, at: int) -> bytes:
    """Stored before the text. No kind is stored as 0: a loss of power may leave zeros."""
    return HEADER.pack(kind + 1, text.size, text.characters, at)


class Loss(NamedTuple):
    """So many characters could not be stored, and why."""

    characters: int
    reason: str

    @property
    def text(self) -> EncodedText:
        """Of its record."""
        reason = self.reason.encode("utf-8", "replace")[:REASON_BYTES].decode("utf-8", "ignore")
        return EncodedText.of(f"{self.characters} {reason}")

    @classmethod
    def read(cls, record: LogRecord) -> "Loss":
        characters, _, reason = record.text.partition(" ")
        return cls(int(characters) if characters.isdecimal() else 0, reason)


class Tally:
    """Counts what was said, from a position on."""

    def __init__(self, start: LogPosition) -> None:
        self._records = start.records
        # What a record of the kind LOSS says is counted at the end, and is no text of the log.
        self._characters = [*start.characters, 0]
        self._bytes = [*start.bytes, 0]

    def count(self, kind: int, characters: int, length: int) -> None:
        """A record of this kind, with so many characters in `length` bytes."""
        self._records += HEADER.size + length
        self._characters[kind] += characters
        self._bytes[kind] += length

    @property
    def characters(self) -> int:
        """Of all streams together."""
        return sum(self._characters[:LOSS])

    @property
    def position(self) -> LogPosition:
        """After all that was counted."""
        stdout, stderr, system, _ = self._characters
        out, err, sys, _ = self._bytes
        return LogPosition(self._records, (stdout, stderr, system), (out, err, sys))


def records(content: bytes) -> Iterator[LogRecord]:
    """The whole records of a segment, up to one that is torn."""
    view = memoryview(content)
    for kind, start, length, characters, at in _headers(content):
        yield LogRecord(kind, characters, at, view[start : start + length])


def end_of(start: LogPosition, content: bytes) -> LogPosition:
    """Where the last whole record of a segment ends."""
    tally = Tally(start)
    for kind, _, length, characters, _ in _headers(content):
        tally.count(kind, characters, length)
    return tally.position


def _headers(content: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Of the whole records: kind, beginning of the text, its length, its characters, epoch ms."""
    unpack, size = HEADER.unpack_from, HEADER.size
    start, end = size, len(content)
    while start <= end:
        code, length, characters, at = unpack(content, start - size)
        if not 1 <= code <= LOSS + 1 or not characters <= length <= 4 * characters:
            return
        if start + length > end:
            return
        yield code - 1, start, length, characters, at
        start += length + size
