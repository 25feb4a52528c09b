"""A place in a stream of changes, to resume from: `<epoch>:<sequence>`."""

import re
from dataclasses import dataclass

from ..errors import InvalidInput

_SHAPE = re.compile(r"([0-9a-z]{1,32}):([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """`epoch` is a word of the process that counted, `sequence` the last change that was seen."""

    epoch: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """A cursor from a client.

        Raises:
            InvalidInput: no server can have given this one out.
        """
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise InvalidInput("after: this is not a cursor of a subscription", path=["after"])
        return cls(match[1], int(match[2]))
