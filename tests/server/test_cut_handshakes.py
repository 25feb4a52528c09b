"""Heads that come in two pieces, wherever the network, a slow client or we ourselves cut them."""

import asyncio
from collections.abc import Callable

import pytest
from attackers import HOST, frame, handshake
from bare_server import connected
from runcast.server.connections.http import PIECE_BYTES
from server_process import ServerProcess

CLOSE = frame(0x8, b"\x03\xe8")
CLOSED = b"\x88\x02\x03\xe8"
BODY = b'{"query": "{ server { engine } }"}'
WISH = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\nUpgrade: h2c\r\n"
POST = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
LAST = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
AT_ONCE = 50


def is_closed(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 101") and answer.endswith(CLOSED)


def has_two_answers(answer: bytes) -> bool:
    return answer.count(b"HTTP/1.1 200") == 2 and b'"engine":"embedded"' in answer


CONVERSATIONS: dict[str, tuple[bytes, Callable[[bytes], bool]]] = {
    "a WebSocket": (handshake() + CLOSE, is_closed),
    "a WebSocket of an old client": (handshake(b"/ws") + CLOSE, is_closed),
    "upgrade in capitals": (handshake().replace(b"Upgrade: ", b"UPGRADE:") + CLOSE, is_closed),
    "a wish for h2c": (POST + WISH + LENGTH + BODY + LAST, has_two_answers),
    "a wish for h2c as the last field": (
        POST + LENGTH[:-2] + WISH + b"\r\n" + BODY + LAST,
        has_two_answers,
    ),
}


async def answer_to(server: ServerProcess, *pieces: bytes) -> bytes:
    """All that comes, up to the end of the connection; each piece is sent on its own."""
    async with connected(server.port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.05)
        return await reader.read()


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_cut_anywhere(server: ServerProcess, name: str) -> None:
    """It means what it means in one piece: what follows the head is not lost, either."""
    said, is_right = CONVERSATIONS[name]
    room = asyncio.Semaphore(AT_ONCE)

    async def answer(at: int) -> bytes:
        async with room:
            return await answer_to(server, said[:at], said[at:])

    answers = await asyncio.gather(*(answer(at) for at in range(1, len(said))))
    wrong = [at for at, one in enumerate(answers, 1) if not is_right(one)]
    assert not wrong, [(said[:at][-30:], answers[at - 1]) for at in wrong[:3]]


async def test_a_field_between_two_pieces(server: ServerProcess) -> None:
    """A long head is read in pieces, and a field of it may be in two of them."""
    begin, field, end = handshake().partition(b"Upgrade: websocket\r\n")
    room = PIECE_BYTES - len(begin + b"Cookie: \r\n")
    for missing in range(len(field) + 3):
        cookie = b"Cookie: " + b"a" * (room - missing) + b"\r\n"
        answer = await answer_to(server, begin + cookie + field + end + CLOSE)
        assert is_closed(answer), (missing, answer)
