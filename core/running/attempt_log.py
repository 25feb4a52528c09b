"""From what an attempt says to its log in a file and a bounded number of live events."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from ..clock import Clock
from ..execution.log import LogPiece, LogStream
from ..execution.stored import StoredValue, TooLarge
from .cancels import in_spite_of_cancels
from .lines import Lines
from .stores import LogWriter, Spool

WINDOW_SECONDS = 0.03
PIECE_CHARACTERS = 32_768
LIVE_CHARACTERS = 262_144
LIVE_PIECES = 64
"""What is told live of a window at most: of a flood its end. All of it is in the log."""
FULL_CHARACTERS = 1 << 20
"""How much may wait to be stored before whoever writes is made to wait, too."""


class AttemptLog:
    """Gathers text for a moment, stores it in a thread, and passes it on in pieces.

    Nothing that a stage calls here waits. The first text goes out at once, what follows every
    WINDOW_SECONDS. `publish` is given each piece, and how long stdout was before it.
    """

    def __init__(
        self,
        open_log: Callable[[], LogWriter],
        publish: Callable[[LogPiece, int, bool], Awaitable[None]],
        report: Callable[[float], Awaitable[None]],
        clock: Clock,
        threads: Executor,
    ) -> None:
        self._open = open_log
        self._publish = publish
        self._report = report
        self._clock = clock
        self._threads = threads
        self._writer: LogWriter | None = None
        self._texts: list[tuple[LogStream, str]] = []
        self._streams = {stream: Lines() for stream in (LogStream.STDOUT, LogStream.STDERR)}
        self._output_length = 0
        self._progress: float | None = None
        self._waiting_characters = 0
        self._flushing = asyncio.Lock()
        self._spool: Spool | None = None
        self._spooled: list[bytes] = []
        self._pause: Callable[[bool], None] | None = None
        self._is_full = False
        self._pump: asyncio.Task[None] | None = None
        """There is none before there is something to do."""
        self._untold: list[tuple[LogPiece, int]] = []
        """What is stored and not told live yet."""
        self._hurry = asyncio.Event()
        """Set when nothing is to be waited for: it is full, closed, or has told nothing lately."""
        self._told = False
        """Whether there was anything to tell the last time."""
        self._written = asyncio.Event()
        self._closed = asyncio.Event()
        self._fault: Exception | None = None
        """Why there is no value."""
        self._refusal: Exception | None = None
        """Why a piece was not taken."""
        self.spoiled = asyncio.Event()
        """Set as soon as it is known that there is no value, for it is too large, or the disk is
        full: `value` then says so."""
        self.silent = True
        """The stage has said nothing so far."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._spool is not None:
            self._stir()
        self._closed.set()
        self._hurry.set()
        if self._pump is None:
            return
        self._written.set()
        await in_spite_of_cancels(self._pump)
        if self._refusal is not None:
            raise self._refusal

    async def show_value(self, text: str) -> None:
        """Has the value of a stage that has said nothing stand for what it could have said.

        It is told live and not stored: the value is.
        """
        at, offset = self._clock.now(), 0
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = LogPiece(offset, LogStream.STDOUT, text[start : start + PIECE_CHARACTERS], at)
            await self._publish(piece, offset, True)
            offset = piece.end

    # What stages call

    def emit(self, text: str) -> None:
        """Adds text to stdout."""
        self.write(LogStream.STDOUT, text)

    def write(self, stream: LogStream, text: str) -> None:
        """Adds text, as a whole. What the engine says comes after all that was said before."""
        if not text:
            return
        if stream is LogStream.SYSTEM:
            self._end_lines(only_old=False)
        self.silent = self.silent and stream is LogStream.SYSTEM
        self._add(stream, text)

    def receive(self, stream: LogStream, data: bytes) -> None:
        """Adds what a program has written, as it comes; invalid UTF-8 is replaced.

        A line that is not whole yet waits for a moment, so that two streams tear none.
        """
        self.silent = False
        if self._spool is not None and stream is LogStream.STDOUT:
            self._spooled.append(data)
        self._add(stream, self._streams[stream].feed(data))
        self._stir()

    def progress(self, done: float) -> None:
        """Says how far the attempt is, from 0 to 1."""
        self._progress = min(1.0, max(0.0, done))
        self._stir()

    def keep_value(self, spool: Spool) -> None:
        """From now on what is received on stdout is the value, too."""
        self._spool = spool

    def make_wait(self, pause: Callable[[bool], None]) -> None:
        """`pause(True)` is called when more is written than can be stored, then `pause(False)`."""
        self._pause = pause
        if self._is_full:
            pause(True)

    async def value(self) -> bytes | StoredValue:
        """All of stdout, once everything was received.

        Raises:
            TooLarge: there is more than there may be.
            OSError: it cannot be stored.
        """
        # To its end: two threads must never be at one file.
        return await in_spite_of_cancels(self._finished())

    async def _finished(self) -> bytes | StoredValue:
        assert self._spool is not None
        await self._flush()
        if self._fault is not None:
            raise self._fault
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._spool.finish)

    # The pump

    def _stir(self) -> None:
        """There is something for the pump to do."""
        if self._pump is None and not self._closed.is_set():
            self._pump = asyncio.create_task(self._pumping())
        self._written.set()

    async def _pumping(self) -> None:
        while not self._closed.is_set():
            await self._written.wait()
            self._written.clear()
            await self._flush()
            await self._wait_a_moment()
            self._end_lines(only_old=True)
        self._end_lines(only_old=False)
        await self._flush()
        if self._writer is not None or self._spool is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._end)

    async def _wait_a_moment(self) -> None:
        """A flood is stored meanwhile: whoever writes waits for a disk, but for no reader.

        What comes after a moment in which nothing was told is told at once, and a new one begins:
        the end of a line may come alone.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + WINDOW_SECONDS
        while not self._closed.is_set() and loop.time() < end:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await self._hurry.wait()
            if self._is_full:
                async with self._flushing:
                    await self._put_away()
            elif self._texts and not self._told:
                await self._flush()
                end = loop.time() + WINDOW_SECONDS
            else:
                self._hurry.clear()

    def _end_lines(self, *, only_old: bool) -> None:
        """A line without an end, such as a prompt or a progress bar, is not waited for longer."""
        for stream, lines in self._streams.items():
            self._add(stream, lines.rest_if_old() if only_old else lines.rest())
            if lines.begun:
                self._stir()

    def _add(self, stream: LogStream, text: str) -> None:
        if not text:
            return
        self._texts.append((stream, text))
        self._waiting_characters += len(text)
        self._tell_whether_full()
        self._stir()
        if not self._told:
            self._hurry.set()

    async def _flush(self) -> None:
        async with self._flushing:
            self._told = bool(self._texts or self._untold or self._progress is not None)
            await self._put_away()
            untold, self._untold = self._untold, []
            await self._tell(untold)
            await self._tell_progress()

    async def _put_away(self) -> None:
        """Stores what waits."""
        texts, self._texts = self._texts, []
        spooled, self._spooled = self._spooled, []
        taken = self._waiting_characters
        if texts or spooled:
            store = asyncio.get_running_loop().run_in_executor
            stored = await store(self._threads, self._store, texts, spooled, self._clock.now())
            self._untold = _told_live(self._untold + stored)
            if self._fault is not None:
                self.spoiled.set()
        self._waiting_characters -= taken
        self._tell_whether_full()

    async def _tell_progress(self) -> None:
        done, self._progress = self._progress, None
        if done is not None:
            with self._noting_refusals():
                await self._report(done)

    async def _tell(self, pieces: list[tuple[LogPiece, int]]) -> None:
        with self._noting_refusals():
            for piece, output_offset in pieces:
                await self._publish(piece, output_offset, False)

    @contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # What is said goes to the log all the same.
            self._refusal = self._refusal or error

    def _tell_whether_full(self) -> None:
        is_full = self._waiting_characters > FULL_CHARACTERS
        if is_full is not self._is_full:
            self._is_full = is_full
            if is_full:
                self._hurry.set()
            elif not self._closed.is_set():
                self._hurry.clear()
            if self._pause is not None:
                self._pause(is_full)

    def _store(
        self, texts: list[tuple[LogStream, str]], spooled: list[bytes], at: int
    ) -> list[tuple[LogPiece, int]]:
        """In a thread. The end of it, each piece with the length of stdout before it."""
        if texts and self._writer is None:
            self._writer = self._open()
        stored = [
            piece for stream, text in _joined(texts) for piece in self._append(stream, text, at)
        ]
        self._spool_away(spooled)
        return _told_live(stored)

    def _end(self) -> None:
        """In a thread."""
        if self._writer is not None:
            self._writer.close()
        if self._spool is not None:
            self._spool.discard()

    def _append(self, stream: LogStream, text: str, at: int) -> list[tuple[LogPiece, int]]:
        assert self._writer is not None
        pieces = []
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = self._writer.append(stream, text[start : start + PIECE_CHARACTERS], at)
            pieces.append((piece, self._output_length))
            if stream is LogStream.STDOUT:
                self._output_length += len(piece.text)
        return pieces

    def _spool_away(self, spooled: list[bytes]) -> None:
        if self._spool is None or self._fault is not None:
            return
        try:
            for data in spooled:
                self._spool.write(data)
        except (TooLarge, OSError) as error:
            self._fault = error


def _joined(texts: list[tuple[LogStream, str]]) -> list[tuple[LogStream, str]]:
    """The same with neighbours of one stream put together."""
    joined: list[tuple[LogStream, list[str]]] = []
    for stream, text in texts:
        if joined and joined[-1][0] is stream:
            joined[-1][1].append(text)
        else:
            joined.append((stream, [text]))
    return [(stream, "".join(parts)) for stream, parts in joined]


def _told_live(stored: list[tuple[LogPiece, int]]) -> list[tuple[LogPiece, int]]:
    """The end of a window's pieces, within its bounds."""
    told = stored[-LIVE_PIECES:]
    left = LIVE_CHARACTERS
    for index in range(len(told) - 1, -1, -1):
        left -= len(told[index][0].text)
        if left < 0:
            return told[index + 1 :]
    return told
