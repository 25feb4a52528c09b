"""Frames of a WebSocket that are no message, or only a part of one."""

import json
import socket
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from attackers import CONTINUATION, PING, PONG, TEXT, frame, handshake, heard, opened
from hypothesis import given, strategies as st
from runcast.rest_compat.socket import MOST_BYTES
from runcast.server.connections.frames import Frames
from runcast.server.connections.web_socket import FRAME_BURST, FRAMES_PER_SECOND
from runcast.server.serve import PING_SECONDS, PONG_SECONDS
from server_process import ServerProcess
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
INIT = json.dumps({"type": "connection_init"}).encode()
ACKNOWLEDGED = b'{"type":"connection_ack"}'
POLICY_VIOLATION, TOO_BIG, INTERNAL_ERROR = 1008, 1009, 1011
SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])


def greeted(server: ServerProcess, path: bytes = b"/graphql") -> socket.socket:
    """A socket that was accepted."""
    client = opened(server)
    client.settimeout(20)
    client.sendall(handshake(path))
    assert heard(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    return client


def close_code(client: socket.socket) -> int:
    """With which the server ends the connection; what comes before is passed over."""
    answer = b""
    while piece := client.recv(1 << 16):
        answer += piece
    code, reason = answer.rpartition(b"\x88")[2][1:3], answer[-100:]
    assert len(code) == 2, reason
    return int.from_bytes(code, "big")


@given(st.lists(SIZES, max_size=6), st.lists(st.floats(0, 1), max_size=30), st.booleans())
def test_where_frames_end(sizes: list[int], places: Sequence[float], masked: bool) -> None:
    """However they are cut: a piece has bytes of one frame only, and all of them come."""
    whole = [Frame(Opcode.BINARY, bytes(size)).serialize(mask=masked) for size in sizes]
    data, frames, found, begun = b"".join(whole), Frames(), [], 0
    ends = sorted({0, len(data), *(int(place * len(data)) for place in places)})
    for begin, end in pairwise(ends):
        at, arrived = 0, data[begin:end]
        while at < len(arrived):
            size = frames.piece(arrived, at)
            assert size > 0
            at += size
            begun += size
            if frames.between:
                found.append(begun)
                begun = 0
    assert found == [len(one) for one in whole]
    assert frames.between


@pytest.mark.parametrize("opcode", [PING, PONG], ids=["pings", "pongs"])
def test_who_sends_many_waits(server: ServerProcess, opcode: int) -> None:
    """A thousand at once are nothing; those beyond take their time, and nothing is lost."""
    beyond = FRAMES_PER_SECOND
    with greeted(server) as client:
        begun = time.monotonic()
        client.sendall(frame(opcode, b"x") * (FRAME_BURST + beyond) + frame(TEXT, INIT))
        heard(client, ACKNOWLEDGED)
        assert time.monotonic() - begun > 0.9 * beyond / FRAMES_PER_SECOND


def test_a_message_of_small_fragments(server: ServerProcess) -> None:
    """With pings in between: it is as good as a whole one."""
    first, *others = [INIT[at : at + 1] for at in range(len(INIT))]
    fragments = [frame(TEXT, first, last=False)]
    for piece in others:
        fragments += [frame(PING), frame(CONTINUATION, piece, last=False)]
    with greeted(server) as client:
        client.sendall(b"".join(fragments) + frame(CONTINUATION))
        heard(client, ACKNOWLEDGED)


def test_frames_behind_the_handshake(server: ServerProcess) -> None:
    """What comes together with it is not lost."""
    with opened(server) as client:
        client.settimeout(20)
        client.sendall(handshake() + frame(TEXT, INIT))
        heard(client, ACKNOWLEDGED)


async def test_behind_what_ends_a_socket(server: ServerProcess) -> None:
    """More messages do not keep the client's answer to the close from being read."""
    begun = time.monotonic()
    async with connect(server.ws_url, subprotocols=[PROTOCOL]) as client:
        for _ in range(5):
            await client.send("no")
        await client.wait_closed()
    assert client.close_code == 4400
    # The server would wait for ten seconds, then hang up.
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "part",
    [
        frame(PING)[:1],
        frame(TEXT, INIT)[:-1],
        frame(TEXT, INIT, last=False),
        frame(TEXT, INIT, last=False) + frame(PING),
    ],
    ids=["half a head", "half a message", "a fragment", "a fragment and a ping"],
)
def test_a_message_that_does_not_end(serve: Callable[..., ServerProcess], part: bytes) -> None:
    """1008 after its deadline. Messages that are whole have none, however many they are."""
    place = "runcast.server.connections.web_socket:WebSocketConnection.message_seconds"
    server = serve(hurry={place: 0.3})
    with greeted(server) as client:
        client.sendall(frame(TEXT, INIT))
        heard(client, ACKNOWLEDGED)
        for _ in range(4):
            time.sleep(0.1)
            client.sendall(frame(TEXT, b'{"type":"ping"}'))
            heard(client, b'{"type":"pong"}')
        client.sendall(part)
        assert close_code(client) == POLICY_VIOLATION


@pytest.mark.parametrize(("size", "is_read"), [(MOST_BYTES, True), (MOST_BYTES + 1, False)])
def test_a_large_message_to_the_old_socket(server: ServerProcess, size: int, is_read: bool) -> None:
    """It is not even read, and so has no answer: 1009 as soon as its length is known."""
    with greeted(server, b"/ws") as client:
        message = frame(TEXT, b"[" * size)
        client.sendall(message if is_read else message[:20])
        if is_read:
            heard(client, b"Invalid message format")
        else:
            assert close_code(client) == TOO_BIG


def test_a_missing_pong(serve: Callable[..., ServerProcess]) -> None:
    """1011 for who reads, and does not answer."""
    place = "runcast.server.serve:"
    server = serve(hurry={f"{place}PING_SECONDS": 0.2, f"{place}PONG_SECONDS": 0.2})
    with greeted(server) as client:
        client.sendall(frame(TEXT, INIT))
        assert close_code(client) == INTERNAL_ERROR


def test_how_long_a_pong_may_be_missing() -> None:
    """Not half a minute."""
    assert PING_SECONDS + PONG_SECONDS < 30


PROTOCOLS = b"Sec-WebSocket-Protocol: graphql-transport-ws, %b\r\n"
HANDSHAKES = {
    "5,000 subprotocols": (handshake(fields=PROTOCOLS % b", ".join([b"ab"] * 5_000)), 431),
    "a subprotocol of 9 KB": (handshake(fields=PROTOCOLS % (b"a" * 9_000)), 431),
    "another field of 9 KB": (handshake(fields=b"X: " + b"a" * 9_000 + b"\r\n"), 431),
    "an address of 9 KB": (handshake(b"/graphql?" + b"a" * 9_000), 414),
    "a field in two lines": (handshake(fields=b"X: a\r\n b\r\n"), 400),
    "a name that is none": (handshake(fields=b"X(: a\r\n"), 400),
    "an address that is no ASCII": (handshake(b"/\xc3\xa9"), 400),
    "an old version": (handshake().replace(b"n: 13", b"n: 8"), 400),
    "a key that is none": (handshake().replace(b"AAAAAA", b"A"), 400),
    "no key": (handshake().replace(b"Sec-WebSocket-Key", b"X"), 400),
    "two keys": (handshake(fields=b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), 400),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_that_is_none(server: ServerProcess, name: str) -> None:
    """It has an answer, whoever finds out that it is none."""
    request, status = HANDSHAKES[name]
    with opened(server) as client:
        client.settimeout(20)
        client.sendall(request)
        answer = heard(client, b"\r\n\r\n")
        while piece := client.recv(1 << 16):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert "Traceback" not in server.complained


def test_as_many_subprotocols_as_fit(server: ServerProcess) -> None:
    """Some hundreds are nothing special."""
    with opened(server) as client:
        client.settimeout(20)
        fields = PROTOCOLS % b", ".join([b"ab"] * 1_500)
        client.sendall(handshake(fields=fields).replace(b"graphql-transport-ws\r\n", b"a\r\n"))
        assert heard(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101")


QUESTIONS = {
    "a ping": (b"/graphql", b'{"type":"ping"}'),
    "what is no message": (b"/graphql", b"no"),
    "an operation": (
        b"/graphql",
        b'{"type":"subscribe","id":"1","payload":{"query":"{ server { engine } }"}}',
    ),
    "a question of an old client": (b"/ws", b'{"type":"subscribe","executionId":"exec_1_a"}'),
    "nonsense of an old client": (b"/ws", b"no"),
}
ENDS = {
    "an unknown opcode": (1002, frame(0x3)),
    "a frame that is not masked": (1002, b"\x81\x00"),
    "a text that is not UTF-8": (1007, frame(TEXT, b"\xff")),
    "such a text in two frames": (
        1007,
        frame(TEXT, b"\xc3", last=False) + frame(CONTINUATION, b"\xc3"),
    ),
    "a message that is too long": (TOO_BIG, b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4)),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("end", ENDS)
def test_a_question_and_what_ends_the_socket(
    server: ServerProcess, question: str, end: str
) -> None:
    """The end comes with its code, the answer perhaps not any more; that is no failure of ours."""
    path, message = QUESTIONS[question]
    code, broken = ENDS[end]
    before = len(server.complained)
    with greeted(server, path) as client:
        if path == b"/graphql":
            client.sendall(frame(TEXT, INIT))
            heard(client, ACKNOWLEDGED)
        client.sendall(frame(TEXT, message) + broken)
        found = close_code(client)
    # Who has asked for nothing that can be answered may be told that first.
    assert found in (code, 4400 if message == b"no" and path == b"/graphql" else code)
    server.client.get("/healthz")
    assert "Traceback" not in server.complained[before:]
