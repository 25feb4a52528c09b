"""Logs as tests make and understand them: a list of what was said, character by character."""

import re
from collections.abc import Collection, Sequence
from itertools import groupby

from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogPiece, LogSlice, LogStream
from runcast.core.results.log_writer import LogWriter
from runcast.core.results.logs import LogStore

NAMES = ("exec_1", "stage", 1)
NOTE = re.compile(r"\n\[([\d,]+) characters? (?:left out here|could not be stored: .+)\]\n")
EVERYTHING = 1 << 40


class LogModel:
    """What was appended. It knows nothing of bytes, records and segments."""

    def __init__(self) -> None:
        self.characters: list[tuple[LogStream, int, str]] = []

    def append(self, stream: LogStream, text: str, at: int) -> None:
        self.characters += [(stream, at, character) for character in text]

    def pieces(
        self, offset: int, limit: int, streams: Collection[LogStream] = tuple(LogStream)
    ) -> list[LogPiece]:
        """What one stream says at one moment is one piece."""
        found = []
        for (stream, at), run in groupby(
            self.characters[offset : offset + limit], lambda each: each[:2]
        ):
            text = "".join(character for _, _, character in run)
            if stream in streams:
                found.append(LogPiece(offset, stream, text, at))
            offset += len(text)
        return found

    def text(self, streams: Collection[LogStream] = tuple(LogStream)) -> str:
        return "".join(text for stream, _, text in self.characters if stream in streams)


def say(writer: LogWriter, stream: LogStream, text: str, at: int) -> LogPiece:
    """Appends a text; the piece that is read where it was put."""
    encoded = EncodedText.of(text)
    return LogPiece(writer.append(stream, encoded, at), stream, encoded.text, at)


def whole(store: LogStore, streams: Collection[LogStream] = tuple(LogStream)) -> LogSlice:
    return store.read(*NAMES, 0, EVERYTHING, streams)


def texts(pieces: Sequence[LogPiece]) -> str:
    return "".join(piece.text for piece in pieces)


def missing(piece: LogPiece) -> int | None:
    """How many characters a piece says are missing; None if it is not about that."""
    note = NOTE.fullmatch(piece.text) if piece.stream is LogStream.SYSTEM else None
    return int(note[1].replace(",", "")) if note else None


def numbered_line(number: int) -> str:
    """Line 0, 1...: each of LINE characters, so that an offset tells what is there."""
    return f"line {number:012} ü \N{PARTY POPPER}\n"


LINE = len(numbered_line(0))


def numbered_text(offset: int, length: int) -> str:
    """What numbered lines say from an offset on."""
    first, last = offset // LINE, (offset + length) // LINE
    text = "".join(numbered_line(number) for number in range(first, last + 1))
    return text[offset % LINE :][:length]
