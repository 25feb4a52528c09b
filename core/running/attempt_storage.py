"""Where what an attempt says goes into its log, and what it writes into its value."""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import NamedTuple, TypeAlias

from ..encoded_text import EncodedText
from ..execution.log import LogPiece, LogStream
from ..execution.stored import StoredValue, TooLarge
from .lines import Lines
from .stores import LogWriter, Spool

JOINED_BYTES = 65_536
"""What comes together is joined up to this."""
PIECE_CHARACTERS = 32_768
"""Live, no piece is longer."""


class EndLines(Enum):
    """Lines without an end are not waited for any longer."""

    OLD = "those that had begun at the one before"
    ALL = "all"


Said: TypeAlias = tuple[LogStream, str | bytes] | EndLines
"""A text as a whole, or what a program has written, as it comes: invalid UTF-8 is replaced."""


class StoredText(NamedTuple):
    """What was added to a log, and how long stdout was before it."""

    offset: int
    output_offset: int
    stream: LogStream
    text: EncodedText
    at: int

    def pieces(self) -> Iterator[tuple[LogPiece, int]]:
        """In pieces of PIECE_CHARACTERS, each with how long stdout was before it."""
        text = self.text.text
        is_output = self.stream is LogStream.STDOUT
        for start in range(0, len(text), PIECE_CHARACTERS):
            part = text[start : start + PIECE_CHARACTERS]
            piece = LogPiece(self.offset + start, self.stream, part, self.at)
            yield piece, self.output_offset + (start if is_output else 0)


class AttemptStorage:
    """Waits for the disk, and is for one thread at a time."""

    def __init__(self, open_log: Callable[[], LogWriter]) -> None:
        self.spool: Spool | None = None
        """Takes what is written to stdout from now on."""
        self.fault: Exception | None = None
        """Why there is no value."""
        self._open = open_log
        self._writer: LogWriter | None = None
        self._lines = {stream: Lines() for stream in (LogStream.STDOUT, LogStream.STDERR)}
        self._output_length = 0

    @property
    def used(self) -> bool:
        """Whether there is anything to do for `end`."""
        return self._writer is not None or self.spool is not None

    @property
    def has_begun_line(self) -> bool:
        """Whether there is anything to do for EndLines."""
        return any(lines.begun for lines in self._lines.values())

    def store(self, said: Iterable[Said], at: int) -> list[StoredText]:
        """Stores it, at epoch ms, in this order; then the value. Faults of the disk are counted."""
        said = tuple(said)
        stored = [self._append(*each, at) for each in _joined(self._texts(said))]
        self._spool(said)
        return stored

    def value(self) -> bytes | StoredValue:
        """All that was written to stdout.

        Raises:
            TooLarge: there is more than there may be.
            OSError: it cannot be stored.
        """
        assert self.spool is not None
        if self.fault is not None:
            raise self.fault
        return self.spool.finish()

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self.spool is not None:
            self.spool.discard()

    def _texts(self, all_said: Iterable[Said]) -> Iterator[tuple[LogStream, EncodedText]]:
        for each in all_said:
            if isinstance(each, EndLines):
                for stream, lines in self._lines.items():
                    yield stream, lines.rest() if each is EndLines.ALL else lines.rest_if_old()
                continue
            stream, said = each
            if isinstance(said, str):
                yield stream, EncodedText.of(said)
            else:
                yield stream, self._lines[stream].feed(said)

    def _append(self, stream: LogStream, text: EncodedText, at: int) -> StoredText:
        if self._writer is None:
            self._writer = self._open()
        offset = self._writer.append(stream, text, at)
        stored = StoredText(offset, self._output_length, stream, text, at)
        if stream is LogStream.STDOUT:
            self._output_length += text.characters
        return stored

    def _spool(self, said: Iterable[Said]) -> None:
        if self.spool is None or self.fault is not None:
            return
        try:
            for each in said:
                if isinstance(each, tuple) and each[0] is LogStream.STDOUT:
                    _, data = each
                    if isinstance(data, bytes):
                        self.spool.write(data)
        except (TooLarge, OSError) as error:
            self.fault = error


def _joined(
    texts: Iterable[tuple[LogStream, EncodedText]],
) -> Iterator[tuple[LogStream, EncodedText]]:
    """The same with neighbours of one stream put together, as long as they are short."""
    waiting: list[EncodedText] = []
    length, of = 0, LogStream.STDOUT
    for stream, text in texts:
        if waiting and (stream is not of or length + text.size > JOINED_BYTES):
            yield of, EncodedText.joined(waiting)
            waiting, length = [], 0
        if text.size:
            of = stream
            waiting.append(text)
            length += text.size
    if waiting:
        yield of, EncodedText.joined(waiting)
