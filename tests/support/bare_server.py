"""Connections as `runcast serve` has them, over applications of a test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from runcast.core.fairness import LoopBudget
from runcast.server.connections.http import HttpConnection, Part
from runcast.server.connections.open_connections import OpenConnections
from runcast.server.connections.wire import Shared, Wire
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

ROOM = 10


async def length_of_body(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says how long the body is."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)} bytes")(scope, receive, send)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection for 20 s at most."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()


@asynccontextmanager
async def bare_server(
    app: ASGIApp = length_of_body, connection: Callable[..., HttpConnection] = HttpConnection
) -> AsyncIterator[int]:
    """The port of a server with room for ten connections."""
    config = uvicorn.Config(app, log_config=None)
    state = ServerState()
    shared = Shared(LoopBudget(), OpenConnections(ROOM, ROOM))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Wire(connection(config, state, {}), shared), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
        for one in list(state.connections):
            one.transport.abort()


@asynccontextmanager
async def hasty(deadline: float) -> AsyncIterator[int]:
    """The port of a server with deadlines that a test can wait for."""

    class Hasty(HttpConnection):
        seconds = dict.fromkeys(Part, deadline)

    async with bare_server(connection=Hasty) as port:
        yield port
