"""Calls to whoever runs an execution, to look at its record. Who does not hear them looks later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from nats.aio.msg import Msg

from ...errors import Unavailable
from .link import Link
from .names import Names

MOST = 10_000
"""How many wait to be looked at; more are dropped."""


class Signals:
    """They are stored nowhere."""

    def __init__(self, link: Link, names: Names) -> None:
        self._link = link
        self._names = names

    async def send(self, execution_id: str) -> None:
        await self._link.connection.publish(self._names.signals, execution_id.encode())

    async def received(self) -> AsyncIterator[str]:
        """Goes on when the connection is lost and found again."""
        while True:
            connection = await self._link.connected()
            ids: asyncio.Queue[str | None] = asyncio.Queue(MOST)
            with suppress(Unavailable):
                listener = _Listener(ids)
                subscription = await connection.listen(
                    self._names.signals, listener.receive, listener.end
                )
                try:
                    while (id := await ids.get()) is not None:
                        yield id
                finally:
                    await connection.forget(subscription)


class _Listener:
    def __init__(self, ids: "asyncio.Queue[str | None]") -> None:
        self._ids = ids

    async def receive(self, message: Msg) -> None:
        if not self._ids.full():
            self._ids.put_nowait(message.data.decode(errors="replace"))

    def end(self) -> None:
        if self._ids.full():
            self._ids.get_nowait()
        self._ids.put_nowait(None)
