"""Whether the machine's wall clock still agrees with the time that the server tells."""

import asyncio
import logging
from datetime import timedelta
from typing import Self

from .clock import SystemClock

logger = logging.getLogger("runcast.clock")

TOLERANCE_SECONDS = 60.0
LOOK_SECONDS = 30.0


class WallClockWatch:
    """Warns once when the wall clock leaves the server's time, and again when that changes.

    An async context manager: inside of it the wall clock is looked at every LOOK_SECONDS.
    """

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._told = 0.0
        """The deviation that the log has, in seconds."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watching(), name="runcast wall clock")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def problem(self) -> str | None:
        """How the wall clock is wrong at this moment, for people; None while it agrees."""
        deviation = self._clock.deviation()
        return _in_words(deviation) if _is_off(deviation) else None

    def look(self) -> None:
        """Says in the log what is new about the wall clock."""
        deviation = self._clock.deviation()
        is_off, was_off = _is_off(deviation), _is_off(self._told)
        if is_off == was_off and abs(deviation - self._told) <= TOLERANCE_SECONDS:
            return
        self._told = deviation
        if is_off:
            logger.warning("%s", _in_words(deviation))
        else:
            logger.info("the machine's clock agrees with the server's time again")

    async def _watching(self) -> None:
        while True:
            self.look()
            await self._clock.sleep(LOOK_SECONDS)


def _is_off(deviation: float) -> bool:
    return abs(deviation) > TOLERANCE_SECONDS


def _in_words(deviation: float) -> str:
    apart = timedelta(seconds=round(abs(deviation)))
    where = "ahead of" if deviation > 0 else "behind"
    return (
        f"the machine's clock is {apart} {where} the server's time, which is measured since the "
        "server was started; if the machine is right, restart the server"
    )
