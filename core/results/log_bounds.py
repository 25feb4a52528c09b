"""How much of an attempt's log is stored, and in what portions."""

from dataclasses import dataclass

from .log_record import HEADER, LOSS_BYTES

MAX_BYTES = 64 << 20
LEAST_BYTES = 8192
PART_BYTES = 320 << 10
"""No text in a record is longer: what is read of it at a time."""
SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class LogBounds:
    """At most `max_bytes` are stored: the first half, and the latest half of what comes after it.

    Records and their headers count. Whole segments of the latest half are dropped, each of
    `segment_bytes` at most (less than asked for if `max_bytes` is small).

    Raises:
        ValueError: `max_bytes` is less than LEAST_BYTES.
    """

    max_bytes: int
    segment_bytes: int

    def __post_init__(self) -> None:
        if self.max_bytes < LEAST_BYTES:
            raise ValueError(f"a log needs room for at least {LEAST_BYTES} bytes")
        fitting = min(self.segment_bytes, self.max_bytes // SEGMENTS)
        object.__setattr__(self, "segment_bytes", fitting)

    @property
    def half(self) -> int:
        return self.max_bytes // 2

    @property
    def fitting_bytes(self) -> int:
        """How much of a text fits into one segment."""
        return min(PART_BYTES, self.segment_bytes - LOSS_BYTES - HEADER.size)
