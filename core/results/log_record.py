"""The records that a segment of a log consists of, as bytes."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..execution.log import LogStream
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

    @classmethod
    def of(cls, stream: LogStream, text: str, at: int) -> "LogRecord":
        return cls(STREAMS.index(stream), len(text), at, text.encode())

    @property
    def text(self) -> str:
        return str(self.data, "utf-8", "replace")

    def encoded(self) -> bytes:
        """As it is stored. No kind is stored as 0: zeros are what a loss of power may leave."""
        return HEADER.pack(self.kind + 1, len(self.data), self.characters, self.at) + self.data


class Loss(NamedTuple):
    """So many characters could not be stored, and why."""

    characters: int
    reason: str

    def record(self, at: int) -> LogRecord:
        reason = self.reason.encode("utf-8", "replace")[:REASON_BYTES].decode("utf-8", "ignore")
        text = f"{self.characters} {reason}"
        return LogRecord(LOSS, len(text), at, text.encode())

    @classmethod
    def read(cls, record: LogRecord) -> "Loss":
        characters, _, reason = record.text.partition(" ")
        return cls(int(characters), reason)


class Tally:
    """Counts records, from a position on."""

    def __init__(self, start: LogPosition) -> None:
        self._records = start.records
        self._characters = list(start.characters)
        self._bytes = list(start.bytes)

    def count(self, record: LogRecord) -> None:
        """What a record of the kind LOSS says is no text of the log."""
        kind, characters, _, data = record
        self._records += HEADER.size + len(data)
        if kind != LOSS:
            self._characters[kind] += characters
            self._bytes[kind] += len(data)

    @property
    def characters(self) -> int:
        """Of all streams together."""
        return sum(self._characters)

    @property
    def position(self) -> LogPosition:
        """After all that was counted."""
        stdout, stderr, system = self._characters
        out, err, sys = self._bytes
        return LogPosition(self._records, (stdout, stderr, system), (out, err, sys))


def records(content: bytes) -> Iterator[LogRecord]:
    """The whole records of a segment, up to one that is torn."""
    view = memoryview(content)
    start, size = 0, len(content)
    while start + HEADER.size <= size:
        code, length, characters, at = HEADER.unpack_from(content, start)
        start += HEADER.size
        if not 1 <= code <= LOSS + 1 or not characters <= length <= 4 * characters:
            return
        if start + length > size:
            return
        yield LogRecord(code - 1, characters, at, view[start : start + length])
        start += length
