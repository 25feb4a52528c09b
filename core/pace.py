"""How often something may happen, and how long others may be kept waiting."""

import asyncio
import time
from collections.abc import Callable

from .clock import Clock

PAUSE_SECONDS = 0.1
TURN_SECONDS = 0.01


class Turns:
    """Work of the event loop in small pieces, so that everybody gets a turn.

    Whoever has many pieces to do takes a turn before each. When ten milliseconds of a round of the
    loop are used up, whoever used them, the next piece is done in a later round.
    """

    __slots__ = ("_now", "_round_ends")

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._round_ends: float | None = None

    async def take(self) -> None:
        """Returns when there is time for a piece; nearly always at once."""
        while self._used_up():  # noqa: ASYNC110
            await asyncio.sleep(0)

    def _used_up(self) -> bool:
        now = self._now()
        if self._round_ends is None:
            self._round_ends = now + TURN_SECONDS
            asyncio.get_running_loop().call_soon(self._begin_round)
        return now > self._round_ends

    def _begin_round(self) -> None:
        self._round_ends = None


class TokenBucket:
    """Allows `burst` at once and `rate` a second: `burst + rate * s` in any `s` seconds at most."""

    __slots__ = ("_burst", "_clock", "_filled_at", "_rate", "_tokens")

    def __init__(self, clock: Clock, burst: int, rate: int) -> None:
        self._clock = clock
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._filled_at = clock.monotonic()

    @property
    def available(self) -> bool:
        """Whether it may happen now."""
        now = self._clock.monotonic()
        earned = (now - self._filled_at) * self._rate
        self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = now
        return self._tokens >= 1

    def take(self) -> None:
        """It has happened once."""
        self._tokens -= 1

    async def refilled(self) -> None:
        """Returns when it may happen; at once after a quiet time.

        Under load that is in rounds, with PAUSE_SECONDS between them in which what happens adds up.
        """
        while not self.available:
            await self._clock.sleep(PAUSE_SECONDS)
