"""A pipe into which a child writes."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

PIPE_BYTES = 256 << 10
HAS_PIPE_SIZE = hasattr(fcntl, "F_SETPIPE_SZ")


class OutputPipe(asyncio.Protocol):
    """Made before the child, to which `write_end` is given, and connected once that has started.

    A pipe and no socket: nobody could open `/dev/stdout` there.
    """

    def __init__(self) -> None:
        self.drained = asyncio.Event()
        """Set when all was received, for nobody has the other end any more, or it was closed."""
        self._receive: Callable[[bytes], None]
        self._transport: asyncio.ReadTransport | None = None
        read_end, self.write_end = os.pipe()
        self._file = open(read_end, "rb", buffering=0)  # noqa: PTH123, SIM115  # a descriptor, which `close` closes
        _widen(read_end)

    async def connect(self, receive: Callable[[bytes], None]) -> None:
        """From now on `receive` is called with what is written, as it comes."""
        self._receive = receive
        self._close_write_end()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: self, self._file)

    def make_wait(self, wait: bool) -> None:
        """Whether who writes more has to wait until somebody reads it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading() if wait else self._transport.resume_reading()

    def close(self) -> None:
        self._close_write_end()
        if self._transport is not None:
            self._transport.close()
        else:
            self._file.close()

    def data_received(self, data: bytes) -> None:
        self._receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.drained.set()

    def _close_write_end(self) -> None:
        write_end, self.write_end = self.write_end, -1
        if write_end >= 0:
            os.close(write_end)


def _widen(pipe: int) -> None:
    """A program that writes much then wakes us less often: fcntl(2), F_SETPIPE_SZ."""
    if HAS_PIPE_SIZE:
        with suppress(OSError):  # a user may have so much in all pipes together
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
