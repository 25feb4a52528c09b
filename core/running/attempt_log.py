"""From what an attempt says to its log in a file and a bounded number of live events."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from functools import partial
from typing import ParamSpec, Self, TypeVar

from ..clock import Clock
from ..execution.log import LogPiece, LogStream
from ..execution.stored import StoredValue
from .attempt_storage import PIECE_CHARACTERS, AttemptStorage, EndLines, Said, StoredText
from .cancels import in_spite_of_cancels
from .stores import LogWriter, Spool

WINDOW_SECONDS = 0.03
LIVE_CHARACTERS = 262_144
LIVE_PIECES = 64
"""What is told live of a window at most: of a flood its end. All of it is in the log."""
STORE_BYTES = 512 << 10
"""So much is stored without waiting for the end of the window."""
FULL_BYTES = 2 << 20
"""How much may wait to be stored before whoever writes is made to wait, too. It is more, so that
the next is read while the one before is stored."""

P = ParamSpec("P")
R = TypeVar("R")


class AttemptLog:
    """Gathers what is said for a moment, stores it in a thread, and passes it on in pieces.

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
        self._storage = AttemptStorage(open_log)
        self._publish = publish
        self._report = report
        self._clock = clock
        self._threads = threads
        self._said: list[Said] = []
        """What waits for being stored."""
        self._unstored_bytes = 0
        """Of all that waits or is being stored; of text, its characters."""
        self._has_line = False
        """Whether there is something in it that can be told."""
        self._progress: float | None = None
        self._flushing = asyncio.Lock()
        self._pause: Callable[[bool], None] | None = None
        self._is_full = False
        self._pump: asyncio.Task[None] | None = None
        """There is none before there is something to do."""
        self._untold: list[StoredText] = []
        """What is stored and not told live yet."""
        self._hurry = asyncio.Event()
        """Set when nothing is to be waited for: there is much to store, it is closed, or it has
        told nothing lately."""
        self._told = False
        """Whether there was anything to tell the last time."""
        self._written = asyncio.Event()
        self._closed = asyncio.Event()
        self._refusal: Exception | None = None
        """Why a piece was not taken."""
        self.spoiled = asyncio.Event()
        """Set as soon as it is known that there is no value, for it is too large, or the disk is
        full: `value` then says so."""
        self.silent = True
        """The stage has said nothing so far."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._storage.used:
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
            self._said.append(EndLines.ALL)
        self.silent = self.silent and stream is LogStream.SYSTEM
        self._add(stream, text, is_line=True)

    def receive(self, stream: LogStream, data: bytes) -> None:
        """Adds what a program has written, as it comes; invalid UTF-8 is replaced.

        A line that is not whole yet waits for a moment, so that two streams tear none.
        """
        self.silent = False
        self._add(stream, data, is_line=b"\n" in data)

    def progress(self, done: float) -> None:
        """Says how far the attempt is, from 0 to 1."""
        self._progress = min(1.0, max(0.0, done))
        self._stir()

    def keep_value(self, spool: Spool) -> None:
        """From now on what is received on stdout is the value, too."""
        self._storage.spool = spool

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
        await self._flush()
        return await self._in_thread(self._storage.value)

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
            self._end_old_lines()
        self._said.append(EndLines.ALL)
        await self._flush()
        if self._storage.used:
            await self._in_thread(self._storage.end)

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
            self._hurry.clear()
            if self._unstored_bytes > STORE_BYTES:
                async with self._flushing:
                    await self._put_away()
            elif self._has_line and not self._told:
                await self._flush()
                end = loop.time() + WINDOW_SECONDS

    def _end_old_lines(self) -> None:
        """A line without an end, such as a prompt or a progress bar, is not waited for longer."""
        if self._said or self._storage.has_begun_line:
            self._said.append(EndLines.OLD)
            self._stir()

    def _add(self, stream: LogStream, text: str | bytes, *, is_line: bool) -> None:
        self._said.append((stream, text))
        self._unstored_bytes += len(text)
        self._has_line = self._has_line or is_line
        self._tell_whether_full()
        self._stir()
        if self._unstored_bytes > STORE_BYTES or (self._has_line and not self._told):
            self._hurry.set()

    async def _flush(self) -> None:
        async with self._flushing:
            await self._put_away()
            untold, self._untold = self._untold, []
            self._told = bool(untold) or self._progress is not None
            await self._tell(untold)
            await self._tell_progress()

    async def _put_away(self) -> None:
        """Stores what waits."""
        said, self._said = self._said, []
        taken, self._has_line = self._unstored_bytes, False
        if said:
            stored = await self._in_thread(self._storage.store, said, self._clock.now())
            self._untold = _told_live(self._untold + stored)
            if self._storage.fault is not None:
                self.spoiled.set()
        self._unstored_bytes -= taken
        self._tell_whether_full()

    async def _in_thread(self, act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(act, *args, **kwargs))

    async def _tell_progress(self) -> None:
        done, self._progress = self._progress, None
        if done is not None:
            with self._noting_refusals():
                await self._report(done)

    async def _tell(self, texts: list[StoredText]) -> None:
        with self._noting_refusals():
            for piece, output_offset in _live_pieces(texts):
                await self._publish(piece, output_offset, False)

    @contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # What is said goes to the log all the same.
            self._refusal = self._refusal or error

    def _tell_whether_full(self) -> None:
        is_full = self._unstored_bytes > FULL_BYTES
        if is_full is not self._is_full:
            self._is_full = is_full
            if self._pause is not None:
                self._pause(is_full)


def _told_live(stored: list[StoredText]) -> list[StoredText]:
    """As much of the end as may be told, and not much more."""
    left, first = LIVE_CHARACTERS, len(stored)
    while first and left > 0 and len(stored) - first < LIVE_PIECES:
        first -= 1
        left -= stored[first].text.characters
    return stored[first:]


def _live_pieces(texts: list[StoredText]) -> list[tuple[LogPiece, int]]:
    """The end of a window's pieces, within its bounds."""
    pieces = [piece for text in texts for piece in text.pieces()][-LIVE_PIECES:]
    left = LIVE_CHARACTERS
    for index in range(len(pieces) - 1, -1, -1):
        left -= len(pieces[index][0].text)
        if left < 0:
            return pieces[index + 1 :]
    return pieces
