"""Logs of attempts that remember what they have told and stored."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from memory_stores import AtOnce, ListWriter
from runcast.core.clock import SystemClock
from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.running.attempt_log import AttemptLog


class WatchedWriter(ListWriter):
    """Knows how many threads are in it at once; `gate`, if there is one, lets them through."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = 0
        self.most_at_once = 0
        self._inside = 0
        self._lock = threading.Lock()
        self.gate: threading.Event | None = None

    def append(self, stream: LogStream, text: EncodedText, at: int) -> int:
        with self._lock:
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
            self.entered += 1
        try:
            if self.gate is not None:
                assert self.gate.wait(60)
            return super().append(stream, text, at)
        finally:
            with self._lock:
                self._inside -= 1


class ForgetfulWriter(WatchedWriter):
    """Keeps the latest piece only; for floods."""

    def append(self, stream: LogStream, text: EncodedText, at: int) -> int:
        offset = super().append(stream, text, at)
        del self.pieces[:-1]
        return offset


class Recorded:
    """What the logs of an attempt have published, and what they have stored."""

    def __init__(self, refusal: Exception | None = None, *, forgetful: bool = False) -> None:
        """`forgetful`: nothing is remembered but the end of what was stored."""
        self.pieces: list[LogPiece] = []
        self.offsets: list[int] = []
        """How long stdout was before each of them."""
        self.progresses: list[float] = []
        self.writer = ForgetfulWriter() if forgetful else WatchedWriter()
        self._forgetful = forgetful
        self.opened = 0
        self._refusal = refusal

    def log(self, threads: Executor | None = None) -> AttemptLog:
        """A log to be entered; it is stored at once unless there are threads for it."""
        threads = threads or AtOnce()
        self.writer.gate = getattr(threads, "gate", None)
        return AttemptLog(self._open, self._publish, self._report, SystemClock(), threads)

    def texts(self, stream: LogStream | None = None) -> list[str]:
        return _texts(self.pieces, stream)

    def text(self, stream: LogStream | None = None) -> str:
        """What was told of a stream; of all of them if none is named."""
        return "".join(self.texts(stream))

    def stored(self, stream: LogStream | None = None) -> str:
        return "".join(_texts(self.writer.pieces, stream))

    def lines(self) -> list[tuple[LogStream, str]]:
        """The stored log line by line; a line that two streams have in common is an error."""
        lines, begun, stream = list[tuple[LogStream, str]](), "", LogStream.STDOUT
        for piece in self.writer.pieces:
            assert not begun or piece.stream is stream, (begun, piece)
            stream = piece.stream
            *whole, begun = (begun + piece.text).split("\n")
            lines += [(stream, line) for line in whole]
        return [*lines, (stream, begun)] if begun else lines

    def check_places(self) -> None:
        """Whether each piece is where it says that it is, in the log and behind stdout."""
        whole, end = self.stored(), 0
        for piece, output_offset in zip(self.pieces, self.offsets, strict=True):
            assert piece.offset >= end
            end = piece.end
            assert whole[piece.offset : end] == piece.text
            stdout = [one for one in self.writer.pieces if one.stream is LogStream.STDOUT]
            before = (min(one.end, piece.offset) - one.offset for one in stdout)
            assert output_offset == sum(count for count in before if count > 0)

    def _open(self) -> ListWriter:
        self.opened += 1
        return self.writer

    async def _publish(self, piece: LogPiece, output_offset: int, of_value: bool) -> None:
        if self._refusal is not None:
            raise self._refusal
        assert not of_value
        if self._forgetful:
            return
        self.pieces.append(piece)
        self.offsets.append(output_offset)

    async def _report(self, progress: float) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.progresses.append(progress)


class HeldThreads(ThreadPoolExecutor):
    """Threads whose disk hangs until `gate` is set."""

    gate: threading.Event


@contextmanager
def held_threads(number: int = 1) -> Iterator[tuple[HeldThreads, threading.Event]]:
    """Threads in which no log is written before the event is set; at the end it is."""
    threads = HeldThreads(number)
    threads.gate = threading.Event()
    try:
        yield threads, threads.gate
    finally:
        threads.gate.set()
        threads.shutdown()


def _texts(pieces: list[Any], stream: LogStream | None) -> list[str]:
    return [piece.text for piece in pieces if stream in (None, piece.stream)]
