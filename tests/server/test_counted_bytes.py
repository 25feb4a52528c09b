"""Bytes of a request that are neither its head nor its body, and requests behind one another."""

import asyncio

import pytest
from bare_server import bare_server, connected, length_of_body
from event_loops import EVENT_LOOPS
from hypothesis import HealthCheck, given, settings, strategies as st
from mutated import cut
from patience import turns, until
from runcast.server.connections.http import MOST_AROUND_BYTES, PIECE_BYTES
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
AROUND = {
    "a trailer": (b"0\r\nX: ", b"y", b"\r\n\r\n"),
    "trailers": (b"0\r\n", b"X: y\r\n", b"\r\n"),
    "an extension": (b"1;x=", b"y", b"\r\na\r\n" + LAST),
    "zeros": (b"", b"0", b"1\r\na\r\n" + LAST),
}

pytestmark = pytest.mark.parametrize("anyio_backend", EVENT_LOOPS)


def plain(size: int) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n" % size + b"\r\n" * (size // 2) + b"a" * (size % 2)


def in_chunks(size: int) -> bytes:
    return CHUNKED + b"1;x=y\r\na\r\n" * size + b"0\r\nX: y\r\nAuthorization: no\r\n\r\n"


REQUESTS = st.builds(
    lambda spell, size: (spell(size), size), st.sampled_from([plain, in_chunks]), st.integers(0, 99)
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(REQUESTS, min_size=1, max_size=20),
    st.lists(st.floats(0, 1), max_size=12),
    st.booleans(),
)
async def test_requests_in_a_row(
    requests: list[tuple[bytes, int]], places: list[float], at_once: bool
) -> None:
    """Each is answered, in their order, wherever the network cuts them."""
    data = b"".join(request for request, _ in requests)
    async with bare_server() as port, connected(port) as (reader, writer):
        for piece in cut(data, places):
            writer.write(piece)
            await turns(0 if at_once else 5)
        for _, size in requests:
            answer = await reader.readuntil(b" bytes")
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"\r\n\r\n%d bytes" % size)


async def test_the_next_request_waits_for_the_answer() -> None:
    """Of a thousand in a row one is with the application, and nothing is kept of the others."""
    calls, gate = [], asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(scope)
        await gate.wait()
        await length_of_body(scope, receive, send)

    async with bare_server(waiting) as port, connected(port) as (reader, writer):
        writer.write(plain(2) * 1000)
        await until(lambda: calls)
        await turns(100)
        assert len(calls) == 1
        gate.set()
        for _ in range(1000):
            await reader.readuntil(b"2 bytes")
    assert len(calls) == 1000


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize(("more", "status"), [(0, b"200"), (PIECE_BYTES, b"413")])
async def test_around_a_body(name: str, more: int, status: bytes) -> None:
    """What stands there is limited, although nobody looks at it."""
    begin, filling, end = AROUND[name]
    most = MOST_AROUND_BYTES - len(begin) - len(end)
    body = begin + filling * ((most + more) // len(filling)) + end
    async with bare_server() as port, connected(port) as (reader, writer):
        writer.write(CHUNKED + body)
        assert (await reader.readline()).split()[1] == status


async def test_thousands_of_small_chunks() -> None:
    """They are taken, if there are five bytes in each."""
    async with bare_server() as port, connected(port) as (reader, writer):
        writer.write(CHUNKED + b"5\r\nhello\r\n" * 50_000 + LAST)
        assert (await reader.readuntil(b" bytes")).endswith(b"\r\n250000 bytes")


async def test_trailers_are_no_headers() -> None:
    """The application does not see them: nobody is somebody else by one."""

    async def names(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        said = ",".join(name.decode() for name, _ in scope["headers"])
        await PlainTextResponse(said)(scope, receive, send)

    async with bare_server(names) as port, connected(port) as (reader, writer):
        writer.write(in_chunks(3))
        head = await reader.readuntil(b"\r\n\r\n")
        length = len("host,transfer-encoding")
        assert b"content-length: %d" % length in head
        assert await reader.readexactly(length) == b"host,transfer-encoding"
