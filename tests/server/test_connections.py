"""Connections below HTTP: what is no request, comes too slowly, or is not taken."""

import asyncio
import json
from typing import Any
from unittest.mock import create_autospec

import pytest
import uvicorn
from bare_server import connected, hasty, length_of_body
from patience import until
from runcast.server.connections.http import (
    MOST_ADDRESS_BYTES,
    MOST_FIELDS,
    MOST_HEAD_BYTES,
    HttpConnection,
)
from runcast.server.connections.wire import Wire
from server_process import ServerProcess
from uvicorn.server import ServerState

HOST = b"Host: localhost\r\n"
GET = b"GET /graphql?query={__typename} HTTP/1.1\r\n" + HOST
POST = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
HANDSHAKE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
REFUSED = {
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "a line that is no request": (b"GET\r\n\r\n", 400),
    "an address of 20 KB": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a field of 40 KB": (GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    "more fields than a head may have": (GET + b"X: y\r\n" * MOST_FIELDS + b"\r\n", 431),
    "a WebSocket by POST": (POST + HANDSHAKE + b"Content-Length: 0\r\n\r\n", 405),
}

Answer = tuple[int, dict[str, str], Any]


async def answer(reader: asyncio.StreamReader) -> Answer:
    """Status, headers and the JSON of a response that ends the connection."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("name", REFUSED)
async def test_no_request(server: ServerProcess, name: str) -> None:
    """It is refused in JSON, and the connection is closed."""
    request, status = REFUSED[name]
    async with connected(server.port) as (reader, writer):
        writer.write(request)
        answered, headers, body = await answer(reader)
    assert answered == status
    assert headers["content-type"].startswith("application/json")
    assert body.keys() in ({"error"}, {"errors"})


LINE = b"GET /no HTTP/1.1\r\n"
FIELDS = b"X: y\r\n"
SPARE = MOST_HEAD_BYTES - len(b"hostlocalhost") - len(b"x")
LARGEST = {
    "address": (
        b"GET /%b HTTP/1.1\r\n%b\r\n",
        lambda n: (b"a" * (n - 1), HOST),
        MOST_ADDRESS_BYTES,
    ),
    "fields": (b"%b%b\r\n", lambda n: (LINE + HOST, FIELDS * (n - 1)), MOST_FIELDS),
    "head": (b"%b%bX: %b\r\n\r\n", lambda n: (LINE, HOST, b"y" * n), SPARE),
}


@pytest.mark.parametrize("name", LARGEST)
async def test_the_largest_head_that_is_taken(server: ServerProcess, name: str) -> None:
    """At the limit a request is looked at (there is no such page), beyond it refused."""
    template, parts, most = LARGEST[name]
    statuses = []
    for size in (most, most + 1):
        async with connected(server.port) as (reader, writer):
            writer.write(template % parts(size))
            statuses.append((await reader.readline()).split()[1])
    assert statuses == [b"404", b"414" if name == "address" else b"431"]


@pytest.mark.parametrize("hosts", [b"", HOST * 2, HOST + b"Host: example.org\r\n"])
async def test_a_request_has_one_host(server: ServerProcess, hosts: bytes) -> None:
    """None, or one of two that somebody else may choose from, is a 400."""
    async with connected(server.port) as (reader, writer):
        writer.write(b"GET /api/executions HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        answered = await reader.read()
    assert answered.startswith(b"HTTP/1.1 400")
    assert b"one Host" in answered


async def test_a_head_that_does_not_end() -> None:
    """It is refused long before it is whole, however small its pieces are."""
    transport = create_autospec(Wire)
    transport.get_extra_info.return_value = None
    connection = HttpConnection(uvicorn.Config(length_of_body, log_config=None), ServerState(), {})
    connection.connection_made(transport)
    connection.data_received(GET + b"X: ")
    for _ in range(MOST_ADDRESS_BYTES + MOST_HEAD_BYTES):
        assert not transport.close.called
        connection.data_received(b"a")
    connection.data_received(b"a")
    assert transport.write.call_args.args[0].startswith(b"HTTP/1.1 431 ")
    assert transport.close.called
    connection.connection_lost(None)


async def test_each_door_refuses_in_its_own_words(server: ServerProcess) -> None:
    """GraphQL has a list of errors with codes, REST one text."""
    bodies = []
    for path in (b"/graphql", b"/api/executions"):
        async with connected(server.port) as (reader, writer):
            writer.write(b"GET " + path + b" HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n")
            bodies.append((await answer(reader))[2])
    [error] = bodies[0]["errors"]
    assert error["extensions"] == {"code": "TOO_LARGE"}
    assert bodies[1] == {"error": error["message"]}


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (GET, "head"),
        (b"GET / HTTP/1.1\r\n\r\n" + GET, "head"),
        (POST + b"Content-Length: 5\r\n\r\n{", "body"),
    ],
    ids=["half a head", "half a head behind a request", "half a body"],
)
async def test_what_does_not_come(sent: bytes, part: str) -> None:
    """408 after the deadline of the part that is awaited."""
    async with hasty(0.3) as port, connected(port) as (reader, writer):
        writer.write(sent)
        if b"GET / " in sent:
            assert (await reader.readuntil(b"0 bytes")).startswith(b"HTTP/1.1 200")
        status, _, body = await answer(reader)
    assert status == 408
    assert f"The {part} of a request must come within 0.3 s" in str(body)


async def test_a_connection_on_which_nothing_comes() -> None:
    """It is closed without a word: browsers connect ahead of need."""
    async with hasty(0.3) as port, connected(port) as (reader, _):
        assert await reader.read() == b""


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade"])
async def test_a_protocol_that_we_do_not_speak(server: ServerProcess, name: bytes) -> None:
    """The wish is passed over (RFC 9110, section 7.8): the request is answered, body and all."""
    body = b'{"query": "{ server { engine } }"}'
    wish = b"Connection: Upgrade, HTTP2-Settings\r\n" + name + b": h2c\r\nHTTP2-Settings: AAE\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    async with connected(server.port) as (reader, writer):
        for _ in range(2):
            writer.write(POST + wish + length + body)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            assert b"embedded" in await reader.readuntil(b"}}}")


async def test_what_comes_in_pieces() -> None:
    """Each part of a request has the whole of its time; a connection may be idle for longer."""
    request = POST + b"Content-Length: 5\r\n\r\nhello"
    async with hasty(1) as port, connected(port) as (reader, writer):
        for pauses in ((0.6, 0.6, 1.1), (0, 0, 0)):
            for piece, pause in zip(
                (request[:30], request[30:-3], request[-3:]), pauses, strict=True
            ):
                writer.write(piece)
                await asyncio.sleep(pause)
            assert (await reader.readuntil(b"5 bytes")).startswith(b"HTTP/1.1 200")


async def test_a_client_that_sends_half_leaves_no_traceback(server: ServerProcess) -> None:
    """It is gone before its body has come: nobody is to blame, nothing is logged."""
    before = len(server.complained)
    for path in (b"/graphql", b"/api/pipelines/echo/run"):
        async with connected(server.port) as (_, writer):
            writer.write(POST.replace(b"/graphql", path) + b"Content-Length: 50\r\n\r\n{")
            await writer.drain()
            port = writer.get_extra_info("sockname")[1]
        await until(lambda port=port: not server.holds(port))
    assert server.client.get("/healthz").status_code == 200
    assert "Traceback" not in server.complained[before:]
