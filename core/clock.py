"""Time as the core sees it: wall time to show, monotonic time to wait by."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tests put a virtual one in its place."""

    def now(self) -> int:
        """Wall time in epoch milliseconds; never less than an earlier answer."""
        ...

    def monotonic(self) -> float:
        """Seconds that a change of the wall clock does not touch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._latest = 0

    def now(self) -> int:
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        return self._latest

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
