"""What an attempt at a stage says, piece by piece."""

from dataclasses import dataclass
from enum import StrEnum


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
