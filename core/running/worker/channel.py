"""The worker's end of its connection to the server."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from types import FrameType

from .frames import Message, Unpacker, packed

PIECE_BYTES = 1 << 18


class Channel:
    """Sends from any thread; a single thread receives. A fork of the worker cannot use it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        # The worker's own children do not get it (it is not inheritable), but a fork would.
        os.register_at_fork(after_in_child=connection.close)

    def send(self, head: Mapping[str, object], body: bytes = b"") -> None:
        """Waits while the server does not read.

        Raises:
            OSError: the server is gone, or this is a fork of the worker.
        """
        with self._lock:
            self._connection.sendall(packed(head, body))

    def messages(self) -> Iterator[Message]:
        """Everything that the server sends, until it is gone."""
        unpacker = Unpacker()
        while data := self._receive():
            yield from unpacker.feed(data)

    def is_sending(self, frame: FrameType | None) -> bool:
        """Whether a thread that is at `frame` is in the middle of a message."""
        while frame is not None:
            if frame.f_code is Channel.send.__code__:
                return True
            frame = frame.f_back
        return False

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(PIECE_BYTES)
        except OSError:
            return b""
