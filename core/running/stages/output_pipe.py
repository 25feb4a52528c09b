"""A pipe into which a child writes."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

PIPE_BYTES = 256 << 10
HAS_PIPE_SIZE = hasattr(fcntl, "F_SETPIPE_SZ")


class OutputPipe:
    """Made before the child, to which `write_end` is given, and connected once that has started.

    A pipe and no socket: nobody could open `/dev/stdout` there. It is read without a transport:
    uvloop's closes the descriptor of a file twice, and by the second time it may be another's.
    """

    def __init__(self) -> None:
        self.drained = asyncio.Event()
        """Set when all was received, for nobody has the other end any more, or it was closed."""
        self._receive: Callable[[bytes], None]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waits = False
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        _widen(self._read_end)

    def connect(self, receive: Callable[[bytes], None]) -> None:
        """From now on `receive` is called with what is written, as it comes."""
        self._receive = receive
        self._close_write_end()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_end, self._read)

    def make_wait(self, wait: bool) -> None:
        """Whether who writes more has to wait until somebody reads it."""
        if self._loop is None or self._read_end < 0 or wait is self._waits:
            return
        self._waits = wait
        if wait:
            self._loop.remove_reader(self._read_end)
        else:
            self._loop.add_reader(self._read_end, self._read)

    def close(self) -> None:
        self._close_write_end()
        read_end, self._read_end = self._read_end, -1
        if read_end < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(read_end)
        os.close(read_end)
        self.drained.set()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            if data := os.read(self._read_end, PIPE_BYTES):
                self._receive(data)
            else:
                self.close()

    def _close_write_end(self) -> None:
        write_end, self.write_end = self.write_end, -1
        if write_end >= 0:
            os.close(write_end)


def _widen(pipe: int) -> None:
    """A program that writes much then wakes us less often: fcntl(2), F_SETPIPE_SZ."""
    if HAS_PIPE_SIZE:
        with suppress(OSError):  # a user may have so much in all pipes together
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
