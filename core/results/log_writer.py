"""Writes the log of one attempt, within its bounds and past the faults of the store."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..encoded_text import Chunk, EncodedText
from ..execution.log import LogStream
from .blobs import Blobs
from .log_bounds import LogBounds
from .log_position import STREAMS, LogPosition
from .log_record import LOSS, Loss, Tally, header
from .log_segment import LogSegment
from .log_stretch import cut_torn_record, stretches


class MissingEnd(NamedTuple):
    """What was said up to `end`, after all that is stored; the last of it `at` epoch ms."""

    end: LogPosition
    reason: str
    at: int


class LogWriter:
    """Goes on where the stored log ends. For one thread at a time.

    No fault of the store is an exception: what cannot be stored is counted, `tell` is given the
    reason, and the next piece is tried again. Once that works, `tell` is given None, and the log
    says how much is missing and why. Whenever it is closed, `closed` is given the writer.
    """

    def __init__(
        self,
        blobs: Blobs,
        folder: str,
        bounds: LogBounds,
        tell: Callable[[str | None], None],
        closed: Callable[["LogWriter"], None],
    ) -> None:
        self.folder = folder
        self.loss: Loss | None = None
        """What could not be stored, as long as the log does not say so itself."""
        self._blobs = blobs
        self._bounds = bounds
        self._tell = tell
        self._closed = closed
        self._segment: LogSegment | None = None
        self._tail: deque[tuple[str, int]] = deque()
        """Names and sizes of the segments of the latest half, without the one that is written."""
        self._tally = Tally(self._end_of_stored())
        self._at = 0

    def append(self, stream: LogStream, text: EncodedText, at: int) -> int:
        """Adds text; `at` in epoch ms. Where it begins, in characters of all streams.

        When this returns, the text is stored or counted as lost.
        """
        offset, kind = self._tally.characters, STREAMS.index(stream)
        for part in text.parts(self._bounds.fitting_bytes):
            self._write(kind, part, at)
        return offset

    def close(self) -> None:
        """Ends the log; what is missing at its end is told there, or remains in `loss`.

        Called again, it tries that again.
        """
        try:
            if self.loss is not None:
                self._store()
                self._tell(None)
            self._end_segment()
        except OSError as error:
            self._lose(0, error)
        self._closed(self)

    @property
    def missing_end(self) -> MissingEnd | None:
        """What of its end is not stored, and not told in the log either."""
        if self.loss is None:
            return None
        return MissingEnd(self._tally.position, self.loss.reason, self._at)

    def _write(self, kind: int, text: EncodedText, at: int) -> None:
        self._at = at
        try:
            self._store(header(kind, text, at), *text.chunks)
        except OSError as error:
            self._lose(text.characters, error)
        else:
            self._tell(None)
        self._tally.count(kind, text.characters, text.size)

    def _store(self, *data: Chunk) -> None:
        segment = self._segment
        if segment is None or segment.size + sum(map(len, data)) > self._bounds.segment_bytes:
            segment = self._next_segment()
        if self.loss is None:
            segment.append(*data)
            return
        # Together, so that nothing is left of it if it fails. It is counted all the same: whatever
        # a failure leaves behind is then less than what the name of the next segment says.
        text = self.loss.text
        self._tally.count(LOSS, text.characters, text.size)
        segment.append(header(LOSS, text, self._at), *text.chunks, *data)
        self.loss = None

    def _lose(self, characters: int, error: OSError) -> None:
        if self._segment is not None:
            self._segment.undo()
            self._end_segment()
        reason = error.strerror or str(error)
        missing = characters + (self.loss.characters if self.loss else 0)
        self.loss = Loss(missing, reason) if missing else None
        self._tell(reason)

    def _next_segment(self) -> LogSegment:
        self._end_segment()
        start = self._tally.position
        if self._is_in_tail(start):
            self._make_room()
        self._segment = LogSegment(self._blobs, self.folder, start)
        return self._segment

    def _end_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        if segment.size and self._is_in_tail(segment.start):
            self._tail.append((segment.name, segment.size))
        segment.close()

    def _make_room(self) -> None:
        """For one segment more in the latest half."""
        most = self._bounds.half - self._bounds.segment_bytes
        while self._tail and sum(size for _, size in self._tail) > most:
            self._blobs.remove(self._tail[0][0])
            self._tail.popleft()

    def _is_in_tail(self, start: LogPosition) -> bool:
        return start.records + self._bounds.segment_bytes > self._bounds.half

    def _end_of_stored(self) -> LogPosition:
        end = LogPosition()
        try:
            cut_torn_record(self._blobs, self.folder)
            for stretch in stretches(self._blobs, self.folder):
                end = stretch.end
                if stretch.blob is not None and self._is_in_tail(stretch.start):
                    size = stretch.end.records - stretch.start.records
                    self._tail.append((stretch.blob, size))
        except OSError as error:
            # Nearly always there is no earlier log that this one would have to go on from.
            self._tell(error.strerror or str(error))
        return end
