"""Floods of bytes and frames that are no part of a message: everybody else goes on.

Of each kind there are several: what one limit sees, another one has to see in the next.
"""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from attackers import (
    CONTINUATION,
    HOST,
    PING,
    PONG,
    TEXT,
    Greeting,
    Memory,
    attacked,
    frame,
    handshake,
    heard,
)
from bystander import Bystander
from server_process import ServerProcess, serving

TOKEN = "secret"
AUTHORIZATION = b"Authorization: Bearer secret\r\n"
CHUNKED = (
    b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    + HOST
)
GET = b"GET %b HTTP/1.1\r\n" + HOST + b"\r\n"
INIT = {"type": "connection_init", "payload": {"Authorization": "Bearer secret"}}
OLD = b"/ws?token=secret"
SECONDS = 1.0
QUESTIONS = 15
MOST_GROWTH = 64 << 20
PATIENT = 1.0
"""A promise of 0.3 s, on a machine that is busy with other tests."""


def said(*pieces: bytes) -> Greeting:
    """Nothing is heard."""
    return lambda client: client.sendall(b"".join(pieces))


def greeted(*messages: bytes, path: bytes = b"/graphql") -> Greeting:
    """A socket over which these frames have been sent."""

    def greet(client: socket.socket) -> None:
        client.sendall(handshake(path))
        heard(client, b"\r\n\r\n")
        client.sendall(b"".join(messages))

    return greet


def begun(*messages: bytes) -> Greeting:
    """A socket that has introduced itself."""
    return greeted(frame(TEXT, json.dumps(INIT).encode()), *messages)


PART = frame(TEXT, b"", last=False)
BYTES = {
    "trailers": (said(CHUNKED, b"\r\n0\r\n"), b"X: y\r\n" * 10_000),
    "trailers, with the token": (said(CHUNKED, AUTHORIZATION, b"\r\n0\r\n"), b"X: y\r\n" * 10_000),
    "one trailer": (said(CHUNKED, b"\r\n0\r\nX: "), b"y" * 60_000),
    "one chunk extension": (said(CHUNKED, b"\r\n1;"), b"a=b;" * 20_000),
    "many chunk extensions": (said(CHUNKED, b"\r\n"), b"1;a=b\r\nx\r\n" * 5_000),
    "chunks of one byte": (said(CHUNKED, AUTHORIZATION, b"\r\n"), b"1\r\nx\r\n" * 10_000),
    "a body behind its answer": (said(CHUNKED, b"\r\n"), b"10000\r\n" + bytes(65_536) + b"\r\n"),
    "requests in a row": (said(), GET % b"/healthz" * 5_000),
    "small heads that are refused": (said(), GET % b"/api/executions" * 500),
    "no requests at all": (said(), b"no\r\n\r\n" * 5_000),
    "empty lines": (said(), b"\r\n" * 30_000),
    "fields": (said(b"GET / HTTP/1.1\r\n"), b"X:\r\n" * 20_000),
    "the begin of an address": (said(b"GET /"), b"a" * 60_000),
}
FRAMES = {
    "pings of a stranger": (greeted(), frame(PING) * 2_000),
    "pings": (begun(), frame(PING) * 2_000),
    "pings in one burst": (begun(), frame(PING) * 500_000),
    "pongs of a stranger": (greeted(), frame(PONG) * 2_000),
    "pongs": (begun(), frame(PONG, b"x" * 125) * 2_000),
    "empty continuations of a stranger": (
        greeted(PART),
        frame(CONTINUATION, last=False) * 2_000,
    ),
    "empty continuations": (begun(PART), frame(CONTINUATION, last=False) * 2_000),
    "continuations": (begun(PART), frame(CONTINUATION, b"x", last=False) * 2_000),
    "messages in two fragments": (
        begun(),
        (frame(TEXT, b'{"type":', last=False) + frame(CONTINUATION, b'"pong"}')) * 1_000,
    ),
    "empty messages": (begun(), frame(TEXT) * 2_000),
    "pings to the old socket": (greeted(path=OLD), frame(PING) * 2_000),
    "messages to the old socket": (greeted(path=OLD), frame(TEXT, b"{}") * 2_000),
    "large messages to the old socket": (greeted(path=OLD), frame(TEXT, b"[" * 2_000_000)),
    "frames before the handshake is answered": (said(handshake()), frame(PING) * 2_000),
}
FLOODS = BYTES | FRAMES
UNREAD = {
    "pongs": (begun(), frame(PING, b"x" * 125) * 2_000),
    "pongs for a stranger": (greeted(), frame(PING, b"x" * 125) * 2_000),
    "errors of the old socket": (greeted(path=OLD), frame(TEXT, b"no") * 2_000),
    "answers to requests in a row": (said(), GET % b"/graphql" * 2_000),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a token that all of the attackers meet, one after the other."""
    with serving(tmp_path_factory.mktemp("guarded"), "--token", TOKEN) as server:
        server.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield server


def others_go_on(server: ServerProcess, greet: Greeting, flood: bytes, *, reads: bool) -> None:
    """Nobody waits long for an answer, an execution is completed, and memory stays what it was."""
    with (
        Memory(server.process) as memory,
        attacked(server, greet, flood, number=3, reads=reads) as attackers,
        Bystander(server.url) as bystander,
    ):
        id = server.client.post("/api/pipelines/echo/run", json={"input": "a"}).json()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or len(bystander.waits) < QUESTIONS:
            time.sleep(0.02)
    assert all(attacker.sent for attacker in attackers)
    assert not bystander.refused
    assert max(bystander.waits) < PATIENT, sorted(bystander.waits)[-3:]
    assert memory.grown < MOST_GROWTH
    ended = server.client.get(f"/api/executions/{id['executionId']}").json()
    assert ended["status"] == "completed"
    assert "Traceback" not in server.complained


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood(guarded: ServerProcess, name: str) -> None:
    """Three attackers, who read what they are answered."""
    greet, flood = FLOODS[name]
    others_go_on(guarded, greet, flood, reads=True)


@pytest.mark.parametrize("name", UNREAD)
def test_a_flood_of_answers_that_nobody_reads(guarded: ServerProcess, name: str) -> None:
    """What is not taken is not made: no more is read from such a client."""
    greet, flood = UNREAD[name]
    others_go_on(guarded, greet, flood, reads=False)


@pytest.mark.parametrize(
    "name",
    ["trailers", "requests in a row", "pings", "continuations", "messages to the old socket"],
)
def test_a_server_stops_under_a_flood(serve: Callable[..., ServerProcess], name: str) -> None:
    """Within ten seconds of SIGTERM."""
    server = serve("--token", TOKEN)
    greet, flood = FLOODS[name]
    with attacked(server, greet, flood, number=2) as attackers:
        while not all(attacker.sent for attacker in attackers):
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
