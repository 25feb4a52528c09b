"""How long the work of some may keep others waiting."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Self

ROUND_SECONDS = 0.01
STRETCH_SECONDS = 0.005


class Stretches:
    """Five milliseconds of each round of the event loop for one that acts on many things.

    It does not wait in the line of those who look on: they may be a thousand, and what it does
    makes work for each of them.
    """

    __slots__ = ("_ends", "_now")

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._ends = now() + STRETCH_SECONDS

    async def pause(self) -> None:
        """To be awaited between two of them: returns at once, unless a stretch is over."""
        if self._now() > self._ends:
            await asyncio.sleep(0)
            self._ends = self._now() + STRETCH_SECONDS


class LoopBudget:
    """Ten milliseconds of each round of the event loop for work that comes in many pieces, unless
    `seconds` says another share.

    Whoever has many pieces to do awaits a checkpoint before each. When the time of a round is used
    up, whoever used it, those who come wait in line. A later round serves them in the order in
    which they came, each with one piece, until its time is used up. Each is woken once, so that a
    piece costs the same however many wait.
    """

    __slots__ = ("_now", "_round_ends", "_seconds", "_waiting")

    def __init__(
        self, now: Callable[[], float] = time.perf_counter, seconds: float = ROUND_SECONDS
    ) -> None:
        self._now = now
        self._seconds = seconds
        self._round_ends: float | None = None
        self._waiting: deque[_Waiter | _Call] = deque()

    @property
    def is_free(self) -> bool:
        """Whether there is time for a piece: nobody waits, and the round's is not used up."""
        return not (self._waiting or self._is_used_up())

    def call(self, piece: Callable[[], None]) -> None:
        """Lets a piece that is not a task's wait in line: it is called when there is time for it.

        To be used once `is_free` has said no.
        """
        self._waiting.append(_Call(piece))

    async def checkpoint(self) -> None:
        """Returns when there is time for a piece: at once, unless others wait or it is used up."""
        if not self.is_free:
            waiter = _Waiter(loop=asyncio.get_running_loop())
            self._waiting.append(waiter)
            await waiter

    def _is_used_up(self) -> bool:
        now = self._now()
        if self._round_ends is None:
            self._round_ends = now + self._seconds
            asyncio.get_running_loop().call_soon(self._begin_round)
        return now > self._round_ends

    def _begin_round(self) -> None:
        self._round_ends = None
        while self._waiting and not self._is_used_up():
            self._waiting.popleft().go_on()


@dataclass(frozen=True, slots=True)
class _Call:
    go_on: Callable[[], None]


class _Waiter(asyncio.Future[None]):
    """What a task waits for that is in line: it can be run at once, and not only scheduled.

    A plain future would run its task in the next round, when nobody knows any more how much time
    there is; to wake as many as there may be time for, and again those for which there was none, is
    what this avoids.
    """

    __slots__ = ("_context", "_resume")

    def add_done_callback(
        self, fn: Callable[[Self], object], /, *, context: Context | None = None
    ) -> None:
        # A task calls this, once, for a future of a class of our own.
        self._resume: Callable[[Any], object] = fn
        self._context = context or copy_context()

    def go_on(self) -> None:
        """Runs the task until it awaits something else; nothing if it was cancelled meanwhile."""
        if not self.done():
            self.set_result(None)
            self._context.run(self._resume, self)

    def cancel(self, msg: Any | None = None) -> bool:
        """As a plain future: the task goes on in the next round of the loop."""
        cancelled = super().cancel(msg)
        if cancelled:
            self.get_loop().call_soon(self._resume, self, context=self._context)
        return cancelled
