"""Where stages that are run by a test put what they say and make: in memory, at once."""

import asyncio
import atexit
import codecs
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.stored import StoredValue, TooLarge
from runcast.core.running.attempt_log import AttemptLog
from runcast.core.running.contents import INLINE_BYTES


class AtOnce(Executor):
    """Runs what it is given at once, so that a test with a virtual clock goes its way."""

    def submit(self, act: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(act(*arguments, **named))
        except BaseException as error:
            future.set_exception(error)
        return future


class ListWriter:
    """The log of one attempt as a list."""

    def __init__(self) -> None:
        self.pieces: list[LogPiece] = []
        self.closed = False

    def append(self, stream: LogStream, text: EncodedText, at: int) -> int:
        offset = self.pieces[-1].end if self.pieces else 0
        self.pieces.append(LogPiece(offset, stream, text.text, at))
        assert text.characters == len(text.text)
        assert text.size == len(text.data)
        return offset

    def close(self) -> None:
        self.closed = True


class BytesSpool:
    """A value in memory."""

    def __init__(self, limit: int, fault: OSError | None = None) -> None:
        self.fault = fault
        """Raised when something is written, while it is there."""
        self.discarded = False
        self._limit = limit
        self._written = bytearray()

    def write(self, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        if len(self._written) + len(data) > self._limit:
            raise TooLarge(self._limit)
        self._written += data

    def finish(self) -> bytes:
        return bytes(self._written)

    def store(self, data: bytes) -> bytes:
        self.write(data)
        return self.finish()

    def discard(self) -> None:
        self.discarded = True
        self._written.clear()


class MemoryStores:
    """Implements `Stores`; folders and files are below one that goes with the test run."""

    inline_bytes = INLINE_BYTES

    def __init__(self) -> None:
        self.logs: dict[tuple[str, str, int], ListWriter] = {}
        self._place = Path(tempfile.mkdtemp(prefix="runcast-test-"))
        atexit.register(shutil.rmtree, self._place, ignore_errors=True)
        self._files = 0

    def open_log(self, execution_id: str, stage_id: str, attempt: int) -> ListWriter:
        return self.logs.setdefault((execution_id, stage_id, attempt), ListWriter())

    def spool(self, execution_id: str, stage_id: str, attempt: int, limit: int) -> BytesSpool:
        return BytesSpool(limit)

    def new_file(self) -> Path:
        self._files += 1
        return self._place / str(self._files)

    def adopt(
        self, execution_id: str, stage_id: str, attempt: int, file: Path, sha256: str
    ) -> StoredValue:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
        return StoredValue(file.name, file.stat().st_size, sha256)

    def path(self, value: StoredValue) -> Path:
        return self._place / value.name

    def read(self, value: StoredValue) -> Iterator[bytes]:
        yield self.path(value).read_bytes()

    def workdir(self, execution_id: str) -> Path:
        return self._place / "work" / execution_id


class HeardLog(AttemptLog):
    """What a runner says to its log, passed on at once to whoever listens."""

    def __init__(self, hear: Callable[[str], None] = lambda text: None) -> None:
        self._hear = hear
        self._decoders = {
            stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in LogStream
        }
        self._value: BytesSpool | None = None
        self.others: list[tuple[LogStream, str]] = []
        """What was said on other streams than stdout."""
        self.progresses: list[float] = []
        self.silent = True
        self.spoiled = asyncio.Event()
        self._fault: Exception | None = None

    def write(self, stream: LogStream, text: str) -> None:
        self.silent = False
        if stream is not LogStream.STDOUT:
            self.others.append((stream, text))
        elif text:
            self._hear(text)

    def receive(self, stream: LogStream, data: bytes) -> None:
        if self._value is not None and stream is LogStream.STDOUT:
            try:
                self._value.write(data)
            except (TooLarge, OSError) as error:
                self._fault = error
                self.spoiled.set()
        self.write(stream, self._decoders[stream].decode(data))

    def progress(self, done: float) -> None:
        self.progresses.append(done)

    def keep_value(self, spool: Any) -> None:
        self._value = spool

    def make_wait(self, pause: Callable[[bool], None]) -> None:
        """Nobody is made to wait: there is always room."""

    async def value(self) -> Any:
        self.write(LogStream.STDOUT, self._decoders[LogStream.STDOUT].decode(b"", final=True))
        if self._fault is not None:
            raise self._fault
        assert self._value is not None
        return self._value.finish()

    @property
    def stderr(self) -> str:
        return "".join(text for stream, text in self.others if stream is LogStream.STDERR)
