"""A place in a log, and the name of the segment that begins there."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from ..execution.log import LogStream

STREAMS = (LogStream.STDOUT, LogStream.STDERR, LogStream.SYSTEM)
OUTPUT = (LogStream.STDOUT,)
NAME = re.compile(r"\d{15,}(?:-\d{15,}){6}", re.ASCII)

PerStream: TypeAlias = tuple[int, int, int]
"""In the order of STREAMS."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How much was said before this place: stored, left out or lost.

    `records` is the number of bytes that the records of it take, with their headers.
    """

    records: int = 0
    characters: PerStream = (0, 0, 0)
    bytes: PerStream = (0, 0, 0)

    def characters_of(self, streams: Collection[LogStream]) -> int:
        """Characters of these streams together."""
        return _sum(self.characters, streams)

    def bytes_of(self, streams: Collection[LogStream]) -> int:
        """Bytes of these streams' text together, in UTF-8."""
        return _sum(self.bytes, streams)

    @property
    def name(self) -> str:
        """Sorts as the positions do: the characters of all streams come first."""
        numbers = (sum(self.characters), self.records, *self.characters[:2], *self.bytes)
        return "-".join(f"{number:015}" for number in numbers)

    @classmethod
    def named(cls, name: str) -> "LogPosition | None":
        """The position of that name; None if it is not the name of one."""
        if NAME.fullmatch(name) is None:
            return None
        total, records, stdout, stderr, *bytes = map(int, name.split("-"))
        return cls(
            records, (stdout, stderr, total - stdout - stderr), (bytes[0], bytes[1], bytes[2])
        )


def _sum(numbers: PerStream, streams: Collection[LogStream]) -> int:
    return sum(number for number, each in zip(numbers, STREAMS, strict=True) if each in streams)
