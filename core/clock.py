"""Time as the core sees it: measured from the moment at which the process began."""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Tests put a virtual one in its place."""

    def now(self) -> int:
        """Epoch milliseconds; never less than an earlier answer."""
        ...

    def monotonic(self) -> float:
        """Seconds that a change of the wall clock does not touch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


def measured_ns() -> int:
    """Nanoseconds from some moment on, those among them in which the machine was suspended.

    Where the system has no such clock, those are missing.
    """
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class SystemClock:
    """The wall clock as it was when this was made, and the time that was measured since.

    What becomes of the wall clock afterwards changes nothing here: moments stay in order, and
    durations are what they were. `deviation` says how far the two are apart. `wall` and `measured`
    give nanoseconds.
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        measured: Callable[[], int] = measured_ns,
    ) -> None:
        self._wall = wall
        self._measured = measured
        self._began = wall() - measured()
        self._latest = 0

    def now(self) -> int:
        now = (self._began + self._measured()) // 1_000_000
        # What is in memory for minutes has many moments in it, and shares those that are the same.
        if now != self._latest:
            self._latest = now
        return self._latest

    def monotonic(self) -> float:
        return self._measured() / 1e9

    async def sleep(self, seconds: float) -> None:
        """Wait; time in which the machine is suspended does not count."""
        await asyncio.sleep(seconds)

    def deviation(self) -> float:
        """How many seconds the wall clock is ahead of this one; negative: behind."""
        return (self._wall() - self._measured() - self._began) / 1e9
