"""Subscriptions over a socket that is torn off, and clients that go on where they were cut off."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import patience
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

Message = dict[str, Any]

PROTOCOL = Subprotocol("graphql-transport-ws")
LONGEST_LIFE = 0.03


@asynccontextmanager
async def subscribed(
    ws_url: str, document: str, **variables: object
) -> AsyncIterator[AsyncIterator[Message]]:
    """The data of each message of a subscription.

    No library does it: all of them close their sockets properly. This one is torn off when the
    block is left, with no close frame and without reading what has arrived.
    """
    socket = await connect(ws_url, subprotocols=[PROTOCOL], proxy=None)
    try:
        await _say(socket, type="connection_init")
        assert await _heard(socket) == {"type": "connection_ack"}
        payload = {"query": document, "variables": variables}
        await _say(socket, type="subscribe", id="1", payload=payload)
        yield _messages(socket)
    finally:
        socket.transport.abort()
        await socket.wait_closed()


class Follower:
    """Follows something, and goes on behind the last message that it has taken."""

    def __init__(self, ws_url: str, document: str, **variables: object) -> None:
        self._ws_url, self._document, self._variables = ws_url, document, variables
        self.cursor: str | None = None
        self.taken = 0
        self.ended = False
        """The server has said complete."""

    def take(self, message: Message) -> None:
        """What the client does with a message."""
        self.cursor = message["cursor"]
        self.taken += 1

    async def follow(self) -> None:
        """Takes messages until the server says complete."""
        variables = self._variables | {"after": self.cursor}
        async with subscribed(self._ws_url, self._document, **variables) as messages:
            async for data in messages:
                [message] = data.values()
                self.take(message)
        self.ended = True

    async def live_a_moment(self, chance: Random) -> None:
        """Follows, and is cut off: in one of four lives while it still connects, perhaps."""
        before = self.taken
        life = asyncio.create_task(self.follow())
        if chance.random() < 0.75:
            await patience.until(lambda: self.taken > before or life.done())
        await asyncio.wait([life], timeout=chance.uniform(0, LONGEST_LIFE))  # the random moment
        life.cancel()
        await asyncio.wait([life])
        if not life.cancelled():
            life.result()

    async def live_until(self, fact: Callable[[], bool], chance: Random) -> None:
        """Follows and is cut off until the fact holds; a TimeoutError if it takes over 60 s."""
        async with asyncio.timeout(60):
            while not fact():
                await self.live_a_moment(chance)


async def _say(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def _heard(socket: ClientConnection) -> Message:
    """The next message that is not about the connection; a TimeoutError after 60 s without one."""
    async with asyncio.timeout(60):
        while (message := json.loads(await socket.recv()))["type"] == "ping":
            await _say(socket, type="pong")
    return dict(message)


async def _messages(socket: ClientConnection) -> AsyncIterator[Message]:
    while (message := await _heard(socket))["type"] == "next":
        assert "errors" not in message["payload"], message
        yield message["payload"]["data"]
    assert message["type"] == "complete", message
