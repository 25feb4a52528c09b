"""Whether the event loop of a worker still turns."""

import asyncio
from collections.abc import Callable

BEAT_SECONDS = 0.25
BLOCKED_SECONDS = 2.0
"""How long a function may keep the event loop from the others that share it."""
MISSED_BEATS = 12
"""How many pings in a row may stay without an answer; a function that blocks is interrupted by
then, in its own process, unless it holds the interpreter's lock."""


class Heartbeat:
    """Pings from `begin` to `end`, and gives up after MISSED_BEATS without an answer.

    `ping` takes the seconds after which the worker is to interrupt a function that blocks.
    The beats are counted and not timed: a server that was stopped itself has missed nothing.
    """

    def __init__(self, ping: Callable[[float], None], give_up: Callable[[], None]) -> None:
        self._ping = ping
        self._give_up = give_up
        self._missed = 0
        self._next: asyncio.TimerHandle | None = None

    @property
    def patience(self) -> float:
        """The seconds without an answer after which it gives up."""
        return MISSED_BEATS * BEAT_SECONDS

    def begin(self) -> None:
        if self._next is None:
            self._later()

    def answered(self) -> None:
        self._missed = 0

    def end(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._missed = 0

    def _later(self) -> None:
        self._next = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        if self._missed >= MISSED_BEATS:
            self.end()
            self._give_up()
        else:
            self._missed += 1
            self._ping(BLOCKED_SECONDS)
            self._later()
