"""A value that is too large to be held in memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredValue:
    """Where a value is, how many bytes it has, and their SHA-256 in hexadecimal digits."""

    name: str
    size: int
    sha256: str
    is_json: bool = False
    """Whether it is JSON and no text."""


class TooLarge(Exception):
    """A value has more bytes than its `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the value is larger than {limit:,} bytes")
        self.limit = limit
