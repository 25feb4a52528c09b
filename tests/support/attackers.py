"""Clients over raw sockets that send what no library would, as fast as they can."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
from server_process import ServerProcess

HOST = b"Host: localhost\r\n"
TEXT, PING, PONG, CONTINUATION = 0x1, 0x9, 0xA, 0x0
AGAIN_SECONDS = 0.02
PATIENCE_SECONDS = 0.5

Greeting = Callable[[socket.socket], None]
"""What is said on a connection before the flood, and heard."""


def handshake(path: bytes = b"/graphql", fields: bytes = b"") -> bytes:
    """A request for a WebSocket."""
    protocol = b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n" if path == b"/graphql" else b""
    return (
        b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        + protocol
        + fields
        + b"\r\n"
    )


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """Of a client, masked with zeros."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([(0x80 if last else 0) | opcode]) + length + bytes(4) + payload


def opened(server: ServerProcess) -> socket.socket:
    """A connection that nothing was said on."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)


def heard(client: socket.socket, end: bytes) -> bytes:
    """What comes up to this end.

    Raises:
        OSError: the connection ends before.
    """
    answer = b""
    while end not in answer:
        if not (piece := client.recv(1 << 16)):
            raise ConnectionError(f"ended after {answer!r}")
        answer += piece
    return answer


class Attacker:
    """A thread that sends the same bytes again and again, and connects again when it is cut off."""

    def __init__(
        self, server: ServerProcess, greet: Greeting, flood: bytes, *, reads: bool
    ) -> None:
        self._server, self._greet, self._flood, self._reads = server, greet, flood, reads
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._attack)
        self.sent = 0
        self._thread.start()

    def stop(self) -> None:
        """Returns when it has ended."""
        self._over.set()
        self._thread.join()

    def _attack(self) -> None:
        while not self._over.wait(AGAIN_SECONDS):
            with suppress(OSError), opened(self._server) as client:
                self._greet(client)
                while not self._over.is_set():
                    client.sendall(self._flood)
                    self.sent += len(self._flood)
                    if self._reads:
                        self._read(client)

    def _read(self, client: socket.socket) -> None:
        client.setblocking(False)
        with suppress(BlockingIOError):
            while client.recv(1 << 16):
                pass
        client.settimeout(PATIENCE_SECONDS)


@contextmanager
def attacked(
    server: ServerProcess, greet: Greeting, flood: bytes, *, number: int, reads: bool = True
) -> Iterator[list[Attacker]]:
    """So many attackers at once."""
    with ExitStack() as stack:
        attackers = []
        for _ in range(number):
            attackers.append(Attacker(server, greet, flood, reads=reads))
            stack.callback(attackers[-1].stop)
        yield attackers


class Memory:
    """How much more memory a process takes than in the beginning, at most; a context."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._looking)

    def __enter__(self) -> "Memory":
        self._before = self._highest = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        """Bytes."""
        return int(self._highest - self._before)

    def _looking(self) -> None:
        while not self._over.wait(AGAIN_SECONDS):
            with suppress(psutil.NoSuchProcess):
                self._highest = max(self._highest, self._process.memory_info().rss)
