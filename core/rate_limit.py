"""How often something may happen."""

from .clock import Clock

PAUSE_SECONDS = 0.1


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
