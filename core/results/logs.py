"""The logs of all attempts: written, read while they are, and removed with their execution."""

import logging
from collections.abc import Collection, Iterator
from contextlib import closing
from threading import Lock

from ..encoded_text import EncodedText
from ..execution.log import LogSlice, LogStream, OutputSlice
from .blobs import Blobs, blob_name
from .log_bounds import MAX_BYTES, LogBounds
from .log_position import STREAMS, LogPosition
from .log_writer import LogWriter, MissingEnd
from .stored_log import StoredLog

logger = logging.getLogger("runcast.logs")

ROOT = "logs"
MOST_MISSING = 10_000
"""For how many logs it is known at a time that their end is missing; older ones are given up."""


class LogStore:
    """One log for each attempt of a stage, in segments `logs/<execution>/<stage>/<attempt>/…`.

    At most `max_bytes` of each are stored (`LogBounds`), in segments of `segment_bytes`, or what
    suits the store. What is left out between a log's beginning and its end, or could not be stored,
    is a SYSTEM piece on reading; so is an end that could not be stored, as long as this store is
    there, and for good once `finish` can write that down.

    Offsets, limits and totals are characters of all streams; attempts are numbered from 1. Reading
    costs what the segments cost in which it is done. Everything waits for the disk or the network:
    call it in a thread.

    Raises:
        ValueError: an id is none that a blob's name may contain, or a number is negative.
        OSError: a log cannot be read. Writing never raises; see `problem`.
    """

    def __init__(
        self, blobs: Blobs, max_bytes: int = MAX_BYTES, segment_bytes: int | None = None
    ) -> None:
        self.problem: str | None = None
        """Why a log could not be written; None again once one was written."""
        self._blobs = blobs
        self._bounds = LogBounds(max_bytes, segment_bytes or blobs.append_bytes)
        self._lock = Lock()
        self._missing: dict[str, tuple[LogWriter, MissingEnd]] = {}
        """Of logs that have ended and do not say themselves that their end is missing."""

    # Writing

    def open(self, execution_id: str, stage_id: str, attempt: int) -> LogWriter:
        """A writer for an attempt. It goes on where the log ends, if there is one."""
        folder = _folder(execution_id, stage_id, attempt)
        return LogWriter(self._blobs, folder, self._bounds, self._tell, self._closed)

    @property
    def unfinished(self) -> bool:
        """Whether there is something to do for `finish`."""
        return bool(self._missing)

    def finish(self) -> None:
        """Has the logs that have ended while nothing could be stored say what is missing."""
        for writer, _ in list(self._missing.values()):
            writer.close()
            if writer.loss is not None:
                return

    def recover(
        self, execution_id: str, stage_id: str, attempt: int, words: str, at: int
    ) -> LogPosition:
        """Ends the log of a process that was killed, with these words as a SYSTEM piece.

        Where they are the last ones already, none are added: whoever does this may be killed, too.
        Returns where the log ends.
        """
        log = self._log(execution_id, stage_id, attempt)
        last = log.read(max(0, log.end.characters_of(STREAMS) - len(words)), len(words), STREAMS)
        if [(piece.stream, piece.text) for piece in last.pieces] != [(LogStream.SYSTEM, words)]:
            with closing(self.open(execution_id, stage_id, attempt)) as writer:
                writer.append(LogStream.SYSTEM, EncodedText.of(words), at)
        return self._log(execution_id, stage_id, attempt).end

    def remove(self, execution_id: str) -> None:
        """Removes the logs of an execution, if there are any."""
        folder = blob_name(ROOT, execution_id)
        with self._lock:
            for name in [name for name in self._missing if name.startswith(f"{folder}/")]:
                del self._missing[name]
        self._blobs.remove(folder)

    def copy(self, execution_id: str, other_id: str, stage_id: str) -> None:
        """Gives another execution the logs of a stage."""
        folder, other = blob_name(ROOT, execution_id, stage_id), blob_name(ROOT, other_id, stage_id)
        for name, _ in self._blobs.list(folder):
            self._blobs.put(f"{other}/{name.removeprefix(f'{folder}/')}", self._blobs.read(name))

    # Reading

    def executions(self) -> set[str]:
        """The executions that have logs."""
        return self._blobs.parts(ROOT)

    def attempts(self, execution_id: str, stage_id: str) -> list[int]:
        """The attempts of a stage that have a log."""
        folder = blob_name(ROOT, execution_id, stage_id)
        below = (name.removeprefix(f"{folder}/") for name, _ in self._blobs.list(folder))
        found = {name.split("/")[0] for name in below}
        return sorted(int(attempt) for attempt in found if attempt.isdecimal())

    def read(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        offset: int,
        limit: int,
        streams: Collection[LogStream] = STREAMS,
    ) -> LogSlice:
        """What these streams say in the `limit` characters from `offset` on.

        What is left out does not count for the limit, and what is said of it is never cut.
        """
        return self._log(execution_id, stage_id, attempt).read(offset, limit, streams)

    def read_output(
        self, execution_id: str, stage_id: str, attempt: int, offset: int, limit: int
    ) -> OutputSlice:
        """Stdout alone, in characters of its own."""
        return self._log(execution_id, stage_id, attempt).read_output(offset, limit)

    def read_bytes(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        start: int = 0,
        end: int | None = None,
        streams: Collection[LogStream] = STREAMS,
    ) -> Iterator[bytes]:
        """The bytes from `start` up to `end` of all that these streams say, in UTF-8.

        Raises:
            FileNotFoundError: a part of it was dropped meanwhile: the log is too long, and still
                written.
        """
        return self._log(execution_id, stage_id, attempt).read_bytes(start, end, streams)

    def size_bytes(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        streams: Collection[LogStream] = STREAMS,
    ) -> int:
        """The length of all that `read_bytes` gives."""
        return self._log(execution_id, stage_id, attempt).size_bytes(streams)

    def _log(self, execution_id: str, stage_id: str, attempt: int) -> StoredLog:
        folder = _folder(execution_id, stage_id, attempt)
        # Before the log is looked at: it may say so itself by then, and never neither of both.
        _, missing = self._missing.get(folder, (None, None))
        return StoredLog(self._blobs, folder, missing)

    def _closed(self, writer: LogWriter) -> None:
        missing = writer.missing_end
        with self._lock:
            # The one that was tried last is tried again after the others.
            self._missing.pop(writer.folder, None)
            if missing is not None:
                self._missing[writer.folder] = (writer, missing)
            while len(self._missing) > MOST_MISSING:
                del self._missing[next(iter(self._missing))]

    def _tell(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        with self._lock:
            before, self.problem = self.problem, problem
        if problem is None:
            logger.info("logs are written again")
        elif before is None:
            logger.warning("logs are not written: %s", problem)


def _folder(execution_id: str, stage_id: str, attempt: int) -> str:
    return blob_name(ROOT, execution_id, stage_id, str(attempt))
