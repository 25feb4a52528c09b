"""One subscriber over a socket, light enough for thousands of them."""

import json
import socket
import struct
from collections.abc import Iterator

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
RECEIVE_BYTES = 1 << 16
PATIENCE_SECONDS = 60


class Follower:
    """A client of graphql-transport-ws that understands no more of it than it has to."""

    def __init__(self, place: str) -> None:
        host, port = place.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arrived = bytearray()

    def begin(self) -> None:
        self.socket.sendall(HANDSHAKE)

    def finish_handshake(self) -> None:
        while (end := self._arrived.find(b"\r\n\r\n")) < 0:
            self._receive()
        if not self._arrived.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"no WebSocket: {bytes(self._arrived[:300])!r}")
        del self._arrived[: end + 4]
        self.send({"type": "connection_init"})

    def wait_for_acknowledgement(self) -> None:
        while b"connection_ack" not in b"".join(self._messages()):
            self._receive()

    def send(self, message: object) -> None:
        self._send(TEXT, json.dumps(message).encode())

    def read(self) -> Iterator[bytes]:
        """The messages of graphql-transport-ws that have arrived whole; pings are answered."""
        self._receive()
        return self._messages()

    def _receive(self) -> None:
        piece = self.socket.recv(RECEIVE_BYTES)
        if not piece:
            raise SystemExit("the server has closed a socket")
        self._arrived += piece

    def _messages(self) -> Iterator[bytes]:
        while (frame := self._frame()) is not None:
            code, payload = frame
            if code == TEXT:
                if b'"ping"' in payload[:40]:
                    self.send({"type": "pong"})
                yield payload
            elif code == PING:
                self._send(PONG, payload)
            elif code == CLOSE:
                raise SystemExit(f"the server has closed a socket: {payload[2:].decode()}")

    def _frame(self) -> tuple[int, bytes] | None:
        """The next frame as its opcode and payload; None if it has not arrived whole."""
        arrived = self._arrived
        if len(arrived) < 2:
            return None
        size, begins = arrived[1] & 127, 2
        if size == 126:
            if len(arrived) < 4:
                return None
            size, begins = arrived[2] << 8 | arrived[3], 4
        elif size == 127:
            raise SystemExit("a message of more than 64 KiB")
        if len(arrived) < begins + size:
            return None
        code, payload = arrived[0] & 15, bytes(arrived[begins : begins + size])
        del arrived[: begins + size]
        return code, payload

    def _send(self, code: int, payload: bytes) -> None:
        """Masked with zeros, which changes nothing."""
        size = len(payload)
        length = bytes([128 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self.socket.sendall(bytes([128 | code]) + length + bytes(4) + payload)
