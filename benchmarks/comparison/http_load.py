"""A light client: requests that lie ready as bytes, over connections that stay open."""

import json
import re
import selectors
import socket
import time
from collections.abc import Iterator

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RECEIVE_BYTES = 1 << 18
PATIENCE_SECONDS = 120


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, content: object) -> bytes:
    """With the content as JSON."""
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Client:
    """One connection, and what has arrived of the answer to its latest request."""

    def __init__(self, place: str) -> None:
        host, port = place.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._place, self._request = place, b""
        self._arrived = bytearray()
        self._body_begins = 0
        self._ends: int | None = None

    def ask(self, request: bytes) -> None:
        self._arrived.clear()
        self._body_begins, self._ends = 0, None
        self._request = request
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """After one look at what has arrived.

        Raises:
            SystemExit: the answer is no 200, or the server has hung up.
        """
        piece = self.socket.recv(RECEIVE_BYTES)
        if not piece:
            raise SystemExit(
                f"{self._place} hung up on {self._request[:60]!r}: {self._arrived[:300]!r}"
            )
        self._arrived += piece
        if not self._body_begins:
            self._look_at_head()
        if self._ends is None:
            return bool(self._body_begins) and self._arrived.endswith(b"0\r\n\r\n")
        return len(self._arrived) >= self._ends

    def _look_at_head(self) -> None:
        end = self._arrived.find(b"\r\n\r\n")
        if end < 0:
            return
        if not self._arrived.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"refused: {bytes(self._arrived[:600])!r}")
        self._body_begins = end + 4
        if length := LENGTH.search(self._arrived, 0, end):
            self._ends = self._body_begins + int(length[1])


def load(place: str, requests: Iterator[bytes], clients: int) -> float:
    """Each client sends its next request when the last one is answered; the seconds it took."""
    opened = [Client(place) for _ in range(clients)]
    begun = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for client, request in zip(opened, requests, strict=False):
            client.ask(request)
            selector.register(client.socket, selectors.EVENT_READ, client)
        while selector.get_map():
            for client in _readable(selector):
                if client.is_answered():
                    if request := next(requests, b""):
                        client.ask(request)
                    else:
                        selector.unregister(client.socket)
    taken = time.perf_counter() - begun
    for client in opened:
        client.socket.close()
    return taken


def _readable(selector: selectors.BaseSelector) -> list[Client]:
    ready = selector.select(PATIENCE_SECONDS)
    if not ready:
        raise SystemExit("the server does not answer")
    return [key.data for key, _ in ready]
