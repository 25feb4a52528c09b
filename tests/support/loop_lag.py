"""How late an event loop runs what is due, measured while something else goes on."""

import asyncio
from typing import Self

TICK_SECONDS = 0.005


class LoopLag:
    """An async context; afterwards `typical` is the delay, in seconds, that 9 of 10 stay below."""

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
        return sorted(self._delays)[len(self._delays) * 9 // 10]

    async def _ticking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._delays.append(loop.time() - due)
