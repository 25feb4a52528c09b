"""What calls print and emit, on its way to the server."""

import codecs
import io
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from itertools import groupby
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from .channel import Channel
from .values import encodable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FLUSH_CHARACTERS = 65_536
FLUSH_SECONDS = 0.02


class Flusher:
    """A thread that sends what was written, soon after it was written."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[CallOutput] = SimpleQueue()
        threading.Thread(target=self._run, name="runcast flusher", daemon=True).start()

    def soon(self, output: "CallOutput") -> None:
        self._waiting.put(output)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            for output in {self._waiting.get(), *self._others()}:
                output.flush()
            pause.wait(FLUSH_SECONDS)

    def _others(self) -> Iterable["CallOutput"]:
        try:
            while True:
                yield self._waiting.get_nowait()
        except Empty:
            return


class CallOutput:
    """The text of one call, sent in pieces that are neither too many nor too large."""

    def __init__(self, channel: Channel, head: Mapping[str, object], flusher: Flusher) -> None:
        self._channel = channel
        self._head = head
        self._flusher = flusher
        self._pieces: list[tuple[str, str]] = []
        self._size = 0
        self._scheduled = False
        self._lock = threading.RLock()
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: decoder("replace") for name in ("stdout", "stderr")}

    def write(self, stream: str, text: str) -> None:
        """Adds text to a stream (`stdout`, `stderr`), from any thread.

        Raises:
            TypeError: this is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"only text can be put out, not {type(text).__name__}")
        with self._lock:
            self._pieces.append((stream, text))
            self._size += len(text)
            if self._size >= FLUSH_CHARACTERS:
                self.flush()
            elif not self._scheduled:
                self._scheduled = True
                self._flusher.soon(self)

    def write_bytes(self, stream: str, data: bytes) -> None:
        """Adds UTF-8; a character may come in several parts."""
        with self._lock:
            self.write(stream, self._decoders[stream].decode(data))

    def progress(self, done: float) -> None:
        """Says how far the call is, from 0 to 1."""
        with self._lock:
            self.flush()
            self._try_to_send({"type": "progress", "done": float(done)})

    def flush(self) -> None:
        with self._lock:
            pieces, self._pieces, self._size = self._pieces, [], 0
            self._scheduled = False
            for stream, group in groupby(pieces, itemgetter(0)):
                self._send(stream, "".join(text for _, text in group))

    def _send(self, stream: str, text: str) -> None:
        for start in range(0, len(text), FLUSH_CHARACTERS):
            piece = encodable(text[start : start + FLUSH_CHARACTERS])
            self._try_to_send({"type": "emit", "stream": stream}, piece.encode())

    def _try_to_send(self, head: Mapping[str, object], body: bytes = b"") -> None:
        # If the server is gone, the thread that listens ends the process.
        with suppress(OSError):
            self._channel.send({**self._head, **head}, body)


OUTPUT: ContextVar[CallOutput] = ContextVar("OUTPUT")
"""Where what is printed belongs; tasks, and threads that asyncio starts, inherit it."""


def inherit_in_threads() -> None:
    """Has every thread inherit it, as Python 3.14 has an option for (`thread_inherit_context`)."""
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        thread.run = partial(copy_context().run, thread.run)  # type: ignore[method-assign]
        start(thread)

    threading.Thread.start = started  # type: ignore[method-assign, assignment]


class CallStream(io.TextIOBase):
    """`sys.stdout` of all calls: what is printed goes to the call that prints it."""

    def __init__(self, name: str, otherwise: io.TextIOBase) -> None:
        self._name = name
        self._otherwise = otherwise
        """Takes what no call prints, as while a module is imported."""
        self.buffer = CallBytes(name, otherwise)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a writable attribute there
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """For children: what they write there is said by the process, if one call runs in it."""
        return self._otherwise.fileno()

    def reconfigure(self, **options: object) -> None:
        """As of any stream of text; there is nothing to choose here."""

    def write(self, text: str) -> int:
        output = OUTPUT.get(None)
        if output is None:
            return self._otherwise.write(text)
        output.write(self._name, text)
        return len(text)

    def flush(self) -> None:
        if (output := OUTPUT.get(None)) is not None:
            output.flush()
        else:
            self._otherwise.flush()


class CallBytes(io.BufferedIOBase):
    """`sys.stdout.buffer` of all calls."""

    def __init__(self, name: str, otherwise: io.TextIOBase) -> None:
        self._name = name
        self._otherwise = otherwise

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        encoded = bytes(data)
        if (output := OUTPUT.get(None)) is not None:
            output.write_bytes(self._name, encoded)
        else:
            self._otherwise.write(encoded.decode("utf-8", "replace"))
        return len(encoded)
