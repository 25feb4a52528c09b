"""Clients that ask for much, and then take nothing of it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from doors import GraphQLDoor
from patience import until
from runcast.server.connections.reader_deadline import ReaderDeadline
from server_process import ServerProcess, serving
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
CHARACTERS = 600_000
FEW_CHARACTERS = 100_000
TIMES = 20
DEADLINES = [1.5, pytest.param(ReaderDeadline.stalled_seconds, marks=pytest.mark.campaign)]
"""600 kB twenty times are more than the kernel takes on behalf of a client."""
QUERY = "query ($id: ID!) { execution(id: $id) { %s } }"
PROGRESS = "subscription ($id: ID!) { executionProgress(id: $id) { execution { input } } }"
"""Messages of 100 kB, one at least: more than a client's system takes, and less than ours."""
FEW_TIMES = 5
"""The client of WebSockets takes one or two itself. The execution may be over when it asks."""


@pytest.fixture(scope="module", params=DEADLINES)
def deadline(request: pytest.FixtureRequest) -> float:
    """How long a client may take nothing, in seconds."""
    return float(request.param)


@pytest.fixture(scope="module")
def impatient(deadline: float, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with that deadline, and as many looks at a client within it as there always are."""
    readers = "runcast.server.connections.reader_deadline:ReaderDeadline"
    looks = deadline * ReaderDeadline.look_seconds / ReaderDeadline.stalled_seconds
    hurry = {f"{readers}.stalled_seconds": deadline, f"{readers}.look_seconds": looks}
    with serving(tmp_path_factory.mktemp("impatient"), hurry=hurry) as server:
        yield server


@pytest.fixture
def id(impatient: ServerProcess) -> str:
    """An execution with a large input."""
    return GraphQLDoor(impatient.client).start("echo", "x" * CHARACTERS)


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
    async with asking(server, {"query": QUERY % fields, "variables": {"id": id}}, accept) as client:
        yield client


@asynccontextmanager
async def over_events(server: ServerProcess, id: str) -> AsyncIterator[socket.socket]:
    """Follows an execution."""
    wanted = {"query": PROGRESS, "variables": {"id": id}}
    async with asking(server, wanted, "text/event-stream") as client:
        yield client


@asynccontextmanager
async def asking(
    server: ServerProcess, wanted: object, accept: str
) -> AsyncIterator[socket.socket]:
    """Has asked by POST, and takes nothing of the answer."""
    body = json.dumps(wanted)
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with await opened(server) as client:
        await asyncio.get_running_loop().sock_sendall(client, (head + body).encode())
        yield client


@asynccontextmanager
async def over_a_socket(
    server: ServerProcess, id: str, query: str = QUERY % "input", times: int = TIMES
) -> AsyncIterator[socket.socket]:
    """Has asked for many answers, which the library leaves where they are."""
    client = await opened(server)
    payload = {"query": query, "variables": {"id": id}}
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
        for number in range(times):
            message = {"id": str(number), "type": "subscribe", "payload": payload}
            await connection.send(json.dumps(message))
        yield client


async def taken(client: socket.socket, most: int) -> int:
    """How many bytes there were, up to so many or the end."""
    loop, size = asyncio.get_running_loop(), 0
    while size < most and (piece := await loop.sock_recv(client, 1 << 20)):
        size += len(piece)
    return size


def test_how_long_a_client_may_take_nothing() -> None:
    """Ten seconds; a look comes soon enough behind them for a promise of twelve."""
    assert ReaderDeadline.stalled_seconds == 10
    assert ReaderDeadline.look_seconds <= 2


async def test_who_takes_nothing_is_cut_off(impatient: ServerProcess, id: str) -> None:
    """After the deadline, whatever it speaks; nobody else is held up."""
    server = impatient
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


async def test_what_fits_into_the_buffers_of_the_system(impatient: ServerProcess) -> None:
    """It must be taken, too, though nothing waits in the process; somebody quicker stays."""
    server = impatient
    id = GraphQLDoor(server.client).start("shell", "x" * FEW_CHARACTERS)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(over_events(server, id)),
            await stack.enter_async_context(over_a_socket(server, id, PROGRESS, FEW_TIMES)),
        ]
        friend = await stack.enter_async_context(over_events(server, id))
        taking = asyncio.create_task(taken(friend, 1 << 40))
        ports = [client.getsockname()[1] for client in clients]
        assert all(map(server.holds, ports))
        await until(lambda: not any(map(server.holds, ports)))
        assert server.holds(friend.getsockname()[1])
        taking.cancel()
        await asyncio.wait([taking])
    assert "Traceback" not in server.complained


async def test_who_takes_a_little_now_and_then_stays(
    impatient: ServerProcess, id: str, deadline: float
) -> None:
    """A slow client gets all of it, although it takes longer than the deadline."""
    async with over_http(impatient, id, "application/json") as client:
        size = 0
        for _ in range(3):
            size += await taken(client, CHARACTERS * TIMES // 4)
            await asyncio.sleep(deadline * 0.4)
        size += await taken(client, CHARACTERS * TIMES)
    assert size > CHARACTERS * TIMES


async def test_a_server_that_stops_does_not_wait_for_them(
    serve: Callable[..., ServerProcess],
) -> None:
    """Ten seconds are enough, whoever takes nothing."""
    server = serve(hurry={"runcast.server.serve:GRACEFUL_SECONDS": 0.3})
    id = GraphQLDoor(server.client).start("echo", "x" * CHARACTERS)
    async with over_http(server, id, "application/json"), over_a_socket(server, id):
        server.process.terminate()
        await asyncio.to_thread(server.process.wait, 10)
