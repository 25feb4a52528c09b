"""How long the work of one may keep others waiting."""

import asyncio
import time
from collections.abc import Callable

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
