"""How late an event loop runs what is due, measured while something else goes on."""

import asyncio
import time
from typing import Self

TICK_SECONDS = 0.005


class LoopLag:
    """An async context that measures delays, in seconds.

    A delay counts as far as the loop's own thread was at work meanwhile: what others on this
    machine take of the processor is no fault of the loop.
    """

    def __init__(self) -> None:
        self._delays: list[float] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._ticking())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def ticks(self) -> int:
        """How often it was measured so far."""
        return len(self._delays)

    @property
    def typical(self) -> float:
        """The delay that 9 of 10 stay below."""
        return sorted(self._delays)[len(self._delays) * 9 // 10]

    @property
    def worst(self) -> float:
        return max(self._delays)

    async def _ticking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + TICK_SECONDS, time.thread_time()
            await asyncio.sleep(TICK_SECONDS)
            self._delays.append(min(loop.time() - due, time.thread_time() - worked))
