"""The server's own log: lines on stderr, for which nobody has to wait."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler
from queue import Full, Queue
from threading import Thread

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
WAITING_LINES = 2000
LAST_WORDS_SECONDS = 1.0


class LogQueue(QueueHandler):
    """Hands each record to a thread that writes it.

    Whoever reads the log may be slow, or read it no more: what does not fit into the queue is
    counted, and the log says how much is missing as soon as somebody reads it again.
    """

    queue: "Queue[logging.LogRecord | None]"

    def __init__(self, descriptor: int) -> None:
        super().__init__(Queue(WAITING_LINES))
        self._missing = 0
        self._formatter = logging.Formatter(FORMAT)
        # Not a stream: Python cannot end as long as somebody waits in one.
        self._descriptor = descriptor
        self._thread = Thread(target=self._write, name="runcast log", daemon=True)
        self._thread.start()

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except Full:
            self._missing += 1

    def end(self) -> None:
        """Returns when all is written, or LAST_WORDS_SECONDS later."""
        with suppress(Full):
            self.queue.put_nowait(None)
            self._thread.join(LAST_WORDS_SECONDS)

    def _write(self) -> None:
        while (record := self.queue.get()) is not None:
            self._write_line(record)
            if self._missing:
                self._write_line(self._gap())

    def _write_line(self, record: logging.LogRecord) -> None:
        left = self._formatter.format(record).encode("utf-8", "backslashreplace") + b"\n"
        with suppress(OSError):  # There is nobody to tell that nobody can be told.
            while left:
                left = left[os.write(self._descriptor, left) :]

    def _gap(self) -> logging.LogRecord:
        self.acquire()
        missing, self._missing = self._missing, 0
        self.release()
        message = f"{missing} lines of the log are missing here: it was not read in time"
        return logging.makeLogRecord(
            {"name": "runcast.log", "levelname": "WARNING", "msg": message}
        )


@contextmanager
def logging_to(descriptor: int) -> Iterator[None]:
    """Has all that is logged written there; to be entered once in a process."""
    handler = LogQueue(descriptor)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.WARNING)
    log.addFilter(_without_traceback)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.end()


def _without_traceback(record: logging.LogRecord) -> bool:
    """A frame that is no UTF-8 is the client's fault: one line says it."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
    return True
