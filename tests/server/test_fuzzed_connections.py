"""Requests, handshakes and frames that nearly are some, at random, over real sockets.

Whatever they are, the connection has an answer or an end in time, no answer is the server's own
failure, and everybody else is served.
"""

import asyncio
import json
import re
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from typing import TypeAlias

import pytest
from attackers import CONTINUATION, HOST, PING, PONG, TEXT, frame, handshake
from hypothesis import HealthCheck, Phase, given, settings, strategies as st, target
from mutated import PLACES, cut, mutated
from runcast.server.connections.http import Part
from server_process import ServerProcess, serving

HURRY = {
    **{f"runcast.server.connections.http:HttpConnection.seconds.{part}": 0.5 for part in Part},
    "runcast.server.connections.web_socket:WebSocketConnection.message_seconds": 0.5,
    "runcast.server.graphql.socket:INIT_SECONDS": 0.5,
}
"""Or else a request that does not end would be waited for 10 and 30 s."""
POST = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
BODY = b'{"query": "{ server { engine } }"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
INIT = frame(TEXT, b'{"type": "connection_init"}')
REQUESTS = [
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    b"HEAD / HTTP/1.0\r\n" + HOST + b"\r\n",
    b"OPTIONS /graphql HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /api/executions/history?page=1&limit=5 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nAccept: */*\r\n" + HOST + b"\r\n",
    POST + LENGTH + b"\r\n" + BODY,
    POST + b"Expect: 100-continue\r\n" + LENGTH + b"\r\n" + BODY,
    POST + CHUNKED + b"\r\n%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY),
    POST + CHUNKED + b"\r\n1\r\n{\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY) - 1, BODY[1:]),
    handshake() + INIT,
    handshake(b"/ws") + frame(TEXT, b'{"type": "subscribe", "executionId": "exec_1_a"}'),
]
TOKENS = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff",
    b" ",
    b"\t",
    b":",
    b"%",
    b"%00",
    b"..%2f",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://a.example/ HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"Upgrade: websocket\r\n",
    b"Connection: upgrade\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Range: bytes=9-1\r\n",
    CHUNKED,
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"a" * 9000,
    b"X: y\r\n" * 60,
    b"\x88\x80" + bytes(4),
]
LAST_REQUEST = b"\r\n\r\nGET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")

MESSAGES = [
    b"",
    b'{"type": "connection_init"}',
    b'{"type": "ping", "payload": {"a": 1}}',
    b'{"type": "complete", "id": "1"}',
    b'{"type": "unsubscribe", "executionId": "exec_1_a"}',
    b'{"type": "subscribe", "executionId": "exec_1_a"}',
    *(
        json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}).encode()
        for query in ["{ server { engine } }", "subscription { executionsChanged { cursor } }"]
    ),
]
JSON_TOKENS = [b"{", b"}", b'"', b"\\ud83d", b"null", b"[" * 1100, b"\xff", b"9" * 500]
CLOSE = 0x8
FRAMES = st.builds(
    lambda opcode, payload, last: frame(opcode, payload, last=last),
    st.sampled_from([TEXT, TEXT, TEXT, CONTINUATION, PING, PONG, 0x2, 0x3, CLOSE, 0xB]),
    mutated(st.sampled_from(MESSAGES), JSON_TOKENS),
    st.sampled_from([True, True, True, False]),
)
WRONG_HEADS = [b"\x81", b"\xff", b"\x7f", b"\xc1", b"\x01", b"\xfe\xff\xff", b"\x81\xff" + bytes(8)]
WRONG_HEADS += [b"\x81\xff\x7f" + b"\xff" * 7, b"\x88\x82" + bytes(4) + b"\x03\xee"]
LAST_FRAME = frame(CLOSE, b"\x03\xe8")
CODES = {1000, 1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403, 4408, 4409, 4429}
"""What a client can be told. 1011 would be the server's failure."""

Conversation: TypeAlias = tuple[bytes, list[float]]
"""What is said, and where it is cut."""
PLAN = settings(
    suppress_health_check=list(HealthCheck),
    # What hangs would be tried again and again, to find the shortest of its kind.
    phases=[Phase.reuse, Phase.generate, Phase.target],
)
END_SECONDS = 15.0
"""The server waits for a client's answer to its close for ten."""


def conversations(said: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Conversation]]:
    return st.lists(st.tuples(said, st.lists(PLACES, max_size=4)), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With deadlines that can be waited for."""
    with serving(tmp_path_factory.mktemp("fuzzed"), hurry=HURRY) as server:
        yield server


async def answer_to(server: ServerProcess, said: bytes, places: list[float]) -> bytes:
    """All that the server says, up to the end of the connection or of the WebSocket."""
    answer = b""
    try:
        async with asyncio.timeout(END_SECONDS):
            # A reset is an end, too: the server has hung up while the client still spoke.
            with suppress(ConnectionError):
                async with aclosing(answering(server.port, cut(said, places))) as pieces:
                    async for piece in pieces:
                        answer += piece
                        if closes(answer):
                            break
    except TimeoutError:
        pytest.fail(f"No end after {answer!r} to {said!r}, cut at {places}")
    return answer


async def answering(port: int, said: list[bytes]) -> AsyncIterator[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in said:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        while piece := await reader.read(1 << 16):
            yield piece
    finally:
        writer.close()


def closes(answer: bytes) -> bool:
    """Whether the server has ended a WebSocket: it waits for the client then, as it must."""
    return close_code(answer) is not None


def close_code(answer: bytes) -> int | None:
    """The code of a close frame among what the server says; 1000 if it has none."""
    for opcode, payload in frames(answer):
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big") if payload else 1000
    return None


def frames(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """Those that are whole, behind a handshake that was accepted."""
    begin = answer.find(b"HTTP/1.1 101 ")
    head = answer.find(b"\r\n\r\n", begin)
    at = head + 4
    while 0 <= begin < head and at + 2 <= len(answer):
        size, extended = answer[at + 1], {126: "!H", 127: "!Q"}.get(answer[at + 1])
        payload = at + 2
        if extended is not None:
            payload += struct.calcsize(extended)
            if payload > len(answer):
                return
            (size,) = struct.unpack(extended, answer[at + 2 : payload])
        if payload + size > len(answer):
            return
        yield answer[at] & 0xF, answer[payload : payload + size]
        at = payload + size


async def answers_to(server: ServerProcess, some: list[Conversation]) -> list[bytes]:
    """All of them at once; the server is well before and afterwards."""
    before = len(server.complained)
    answers = await asyncio.gather(*(answer_to(server, *one) for one in some))
    response = await asyncio.to_thread(server.client.get, "/healthz")
    assert response.json() == {"status": "ok"}
    assert "Traceback" not in server.complained[before:]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 ") or not answer
        statuses = STATUS.findall(answer)
        assert all(b"100" <= status < b"500" for status in statuses), answer
    return answers


@pytest.mark.parametrize("examples", [30, pytest.param(600, marks=pytest.mark.campaign)])
def test_requests(server: ServerProcess, examples: int) -> None:
    """Requests with bytes taken away and put in, cut anywhere, each with a last one behind it."""
    requests = st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3).map(b"".join)
    said = st.one_of(mutated(requests, TOKENS), st.binary(max_size=200))

    @settings(PLAN, max_examples=examples)
    @given(conversations(said.map(lambda data: data + LAST_REQUEST)))
    def talk(some: list[Conversation]) -> None:
        answers = asyncio.run(answers_to(server, some))
        # The more is understood of what is said, the further it gets.
        target(float(len({status for answer in answers for status in STATUS.findall(answer)})))

    talk()


@pytest.mark.parametrize("examples", [10, pytest.param(100, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("path", [b"/graphql", b"/ws"], ids=["graphql", "ws"])
def test_frames(server: ServerProcess, path: bytes, examples: int) -> None:
    """Frames of all kinds, broken ones too: the socket is closed with a code for a client's fault,
    or as the client wished."""
    begun = handshake(path) + (INIT if path == b"/graphql" else b"")
    whole = st.lists(FRAMES, max_size=8).map(b"".join)
    said = st.one_of(whole, mutated(whole, WRONG_HEADS), st.binary(max_size=200))

    @settings(PLAN, max_examples=examples)
    @given(conversations(said.map(lambda data: begun + data + LAST_FRAME)))
    def talk(some: list[Conversation]) -> None:
        answers = asyncio.run(answers_to(server, some))
        codes = {close_code(answer) for answer in answers}
        assert codes <= CODES | {None}, codes
        # Of a connection that was reset, nothing may have arrived.
        assert all(answer.startswith(b"HTTP/1.1 101") for answer in answers if answer)
        target(float(sum(1 for answer in answers for _ in frames(answer))))

    talk()
