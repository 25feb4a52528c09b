"""Clients that ask for much, and then take nothing of it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from doors import GraphQLDoor
from patience import until
from server_process import ServerProcess
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
CHARACTERS = 600_000
TIMES = 20
"""600 kB twenty times are more than the kernel takes on behalf of a client."""
QUERY = "query ($id: ID!) { execution(id: $id) { %s } }"


@pytest.fixture
def id(server: ServerProcess) -> str:
    """An execution with a large input."""
    return GraphQLDoor(server.client).start("echo", "x" * CHARACTERS)


async def opened(server: ServerProcess) -> socket.socket:
    """A connection with a small buffer of its own."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    address = ("127.0.0.1", server.client.base_url.port)
    await asyncio.get_running_loop().sock_connect(client, address)
    return client


@asynccontextmanager
async def over_http(server: ServerProcess, id: str, accept: str) -> AsyncIterator[socket.socket]:
    """Has asked for one large answer."""
    fields = " ".join(f"a{number}: input" for number in range(TIMES))
    body = json.dumps({"query": QUERY % fields, "variables": {"id": id}})
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with await opened(server) as client:
        await asyncio.get_running_loop().sock_sendall(client, (head + body).encode())
        yield client


@asynccontextmanager
async def over_a_socket(server: ServerProcess, id: str) -> AsyncIterator[socket.socket]:
    """Has asked for many answers, which the library leaves where they are."""
    client = await opened(server)
    payload = {"query": QUERY % "input", "variables": {"id": id}}
    reading = connect(
        server.ws_url,
        sock=client,
        subprotocols=[PROTOCOL],
        max_queue=1,
        ping_interval=None,
        close_timeout=0,
    )
    async with reading as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        assert "connection_ack" in str(await connection.recv())
        for number in range(TIMES):
            message = {"id": str(number), "type": "subscribe", "payload": payload}
            await connection.send(json.dumps(message))
        yield client


async def taken(client: socket.socket, most: int) -> int:
    """How many bytes there were, up to so many or the end."""
    loop, size = asyncio.get_running_loop(), 0
    while size < most and (piece := await loop.sock_recv(client, 1 << 20)):
        size += len(piece)
    return size


async def test_who_takes_nothing_is_cut_off(server: ServerProcess, id: str) -> None:
    """After ten seconds, whatever it speaks; nobody else is held up."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(over_http(server, id, "application/json")),
            await stack.enter_async_context(over_http(server, id, "text/event-stream")),
            await stack.enter_async_context(over_a_socket(server, id)),
        ]
        ports = [client.getsockname()[1] for client in clients]
        assert all(map(server.holds, ports))
        assert server.client.get("/api/executions").status_code == 200
        await until(lambda: not any(map(server.holds, ports)))
    assert "Traceback" not in server.complained


async def test_who_takes_a_little_now_and_then_stays(server: ServerProcess, id: str) -> None:
    """A slow client gets all of it, although it takes longer than ten seconds."""
    async with over_http(server, id, "application/json") as client:
        size = 0
        for _ in range(3):
            size += await taken(client, CHARACTERS * TIMES // 4)
            await asyncio.sleep(4)
        size += await taken(client, CHARACTERS * TIMES)
    assert size > CHARACTERS * TIMES


async def test_a_server_that_stops_does_not_wait_for_them(
    serve: Callable[..., ServerProcess],
) -> None:
    """Ten seconds are enough, whoever takes nothing."""
    server = serve()
    id = GraphQLDoor(server.client).start("echo", "x" * CHARACTERS)
    async with over_http(server, id, "application/json"), over_a_socket(server, id):
        server.process.terminate()
        await asyncio.to_thread(server.process.wait, 10)
