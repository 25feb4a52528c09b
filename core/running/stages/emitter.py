"""From a stage's many small writes to a bounded number of output events."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

WINDOW_SECONDS = 0.03
PIECE_CHARACTERS = 32_768


class Emitter:
    """Gathers text for a moment and passes it on in pieces; keeps at most `limit` bytes in all.

    `emit` never waits. The first text goes out at once, what follows every WINDOW_SECONDS.
    `publish(text, dropped)` is given each piece and the number of bytes that were not kept.
    """

    def __init__(self, publish: Callable[[str, int], Awaitable[None]], limit: int) -> None:
        self._publish = publish
        self._left = limit
        self._texts: list[str] = []
        self._dropped = 0
        self._written = asyncio.Event()
        self._closed = asyncio.Event()
        self.silent = True
        """Nothing was ever emitted."""

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._passing_on())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._written.set()
        await self._pump

    def emit(self, text: str) -> None:
        """Puts out text; what no UTF-8 can say (half a surrogate pair) becomes a question mark."""
        if not text:
            return
        self.silent = False
        encoded = text.encode("utf-8", "replace")
        # A character that the limit has cut in two is not kept.
        kept = encoded[: self._left].decode("utf-8", "ignore")
        self._left -= min(self._left, len(encoded))
        self._dropped += len(encoded) - len(kept.encode())
        if kept:
            self._texts.append(kept)
        self._written.set()

    async def _passing_on(self) -> None:
        while not self._closed.is_set():
            await self._written.wait()
            self._written.clear()
            await self._flush()
            await self._wait_a_moment()
        await self._flush()

    async def _wait_a_moment(self) -> None:
        try:
            async with asyncio.timeout(WINDOW_SECONDS):
                await self._closed.wait()
        except TimeoutError:
            return

    async def _flush(self) -> None:
        text, self._texts = "".join(self._texts), []
        dropped, self._dropped = self._dropped, 0
        for start in range(0, len(text), PIECE_CHARACTERS):
            await self._publish(text[start : start + PIECE_CHARACTERS], 0)
        if dropped:
            await self._publish("", dropped)
