"""What an attempt at a stage says, piece by piece."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class LogStream(StrEnum):
    """Who says it: the stage on one of two streams, or the engine (SYSTEM)."""

    STDOUT = "STDOUT"
    STDERR = "STDERR"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A text that arrived at one time, `at` epoch ms.

    `offset` is where it begins in the log, in characters over all streams.
    """

    offset: int
    stream: LogStream
    text: str
    at: int

    @property
    def end(self) -> int:
        """Where the next piece begins."""
        return self.offset + len(self.text)


@dataclass(frozen=True, slots=True)
class LogSlice:
    """A part of a log. All numbers are characters of all streams together.

    `next_offset` is where the next slice begins, `total` the length of the log, and `left_out` how
    much of it is not stored, anywhere in the log.
    """

    pieces: tuple[LogPiece, ...]
    next_offset: int
    total: int
    left_out: int


class OutputSlice(NamedTuple):
    """A part of what an attempt has written to stdout, as `LogSlice`, in characters of stdout."""

    text: str
    next_offset: int
    total: int
    left_out: int
