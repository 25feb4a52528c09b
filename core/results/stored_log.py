"""The log of one attempt as it is stored, whether it is still written or not."""

import errno
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from ..execution.log import LogPiece, LogSlice, LogStream, OutputSlice
from .blobs import Blobs
from .log_position import OUTPUT, STREAMS, LogPosition
from .log_record import records
from .log_stretch import Stretch, content, stretches
from .log_writer import MissingEnd


class _Said(NamedTuple):
    """Text between two offsets; a note is longer or shorter than what is left out there."""

    start: int
    end: int
    stream: LogStream
    text: str
    at: int
    is_note: bool = False


class StoredLog:
    """A log as it was when this was made.

    What is left out is a SYSTEM piece on reading: how much it is, and why, if that is known.

    Raises:
        OSError: the store cannot be read.
    """

    def __init__(self, blobs: Blobs, folder: str, missing: MissingEnd | None = None) -> None:
        """`missing`: what has been said after all that is stored, unless that says so itself."""
        self._blobs = blobs
        self._missing = missing
        self.stretches = tuple(stretches(blobs, folder))
        stored = self.end
        if missing and stored.characters_of(STREAMS) < missing.end.characters_of(STREAMS):
            self.stretches += (Stretch(stored, missing.end, reason=missing.reason),)

    @property
    def end(self) -> LogPosition:
        return self.stretches[-1].end if self.stretches else LogPosition()

    def left_out(self, streams: Collection[LogStream]) -> int:
        """How many characters of these streams are not stored."""
        gaps = (stretch for stretch in self.stretches if stretch.blob is None)
        return sum(gap.characters_of(streams) for gap in gaps)

    def read(self, offset: int, limit: int, streams: Collection[LogStream]) -> LogSlice:
        """What these streams say in the `limit` characters of all streams from `offset` on.

        What a stream says at one moment, with no other stream in between, is one piece.
        """
        said = list(_first(limit, self._said(offset, STREAMS, streams)))
        pieces = []
        for (stream, at, note), run in groupby(said, _voice):
            parts = list(run)
            text = "".join(part.text for part in parts)
            if text and (note is not None or stream in streams):
                pieces.append(LogPiece(parts[0].start, stream, text, at))
        end = said[-1].end if said else offset
        return LogSlice(tuple(pieces), end, self.end.characters_of(STREAMS), self.left_out(STREAMS))

    def read_output(self, offset: int, limit: int) -> OutputSlice:
        """What stdout says from its character `offset` on."""
        said = list(_first(limit, self._said(offset, OUTPUT, OUTPUT)))
        end = said[-1].end if said else offset
        text = "".join(each.text for each in said)
        return OutputSlice(text, end, self.end.characters_of(OUTPUT), self.left_out(OUTPUT))

    def size_bytes(self, streams: Collection[LogStream]) -> int:
        """The length of what `read_bytes` gives from the beginning to the end."""
        return sum(stretch.size_bytes(streams) for stretch in self.stretches)

    def read_bytes(
        self, start: int, end: int | None, streams: Collection[LogStream]
    ) -> Iterator[bytes]:
        """A part of what these streams say, in UTF-8 and in chunks of a segment's size at most.

        Raises:
            FileNotFoundError: a part of it was dropped since this was made.
        """
        begin = 0
        for stretch in self.stretches:
            size = stretch.size_bytes(streams)
            stop = begin + size if end is None else min(begin + size, end)
            if max(start, begin) < stop:
                yield self._encoded(stretch, streams, size)[max(start - begin, 0) : stop - begin]
            begin += size

    def _encoded(self, stretch: Stretch, streams: Collection[LogStream], size: int) -> bytes:
        if stretch.blob is None:
            return stretch.note(streams).encode()
        kinds = _kinds(streams)
        found = records(self._content(stretch))
        text = b"".join(record.data for record in found if record.kind in kinds)
        if len(text) != size:
            raise FileNotFoundError(errno.ENOENT, "a part of the log is gone", stretch.blob)
        return text

    def _said(
        self, offset: int, measured: Collection[LogStream], streams: Collection[LogStream]
    ) -> Iterator[_Said]:
        """What the measured streams say from this character on, with notes for `streams`."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        wanted = _kinds(measured)
        for gap, stretch, found in self._found(offset, measured):
            if gap is not None:
                start, end = gap.start.characters_of(measured), gap.end.characters_of(measured)
                note, at = gap.note(streams), self._moment(found)
                yield _Said(max(start, offset), end, LogStream.SYSTEM, note, at, is_note=True)
            start = stretch.start.characters_of(measured)
            for kind, characters, at, data in records(found):
                if kind in wanted:
                    end = start + characters
                    if end > offset:
                        text = str(data, "utf-8", "replace")[max(offset - start, 0) :]
                        yield _Said(max(start, offset), end, STREAMS[kind], text, at)
                    start = end

    def _found(
        self, offset: int, measured: Collection[LogStream]
    ) -> Iterator[tuple[Stretch | None, Stretch, bytes]]:
        """The segments that go beyond this character: what is left out before, and what is in them.

        What was dropped since this was made is left out, too.
        """
        gap: Stretch | None = None
        for stretch in self.stretches:
            if stretch.end.characters_of(measured) <= offset:
                continue
            found = self._content(stretch)
            if next(records(found), None) is not None:
                yield gap, stretch, found
                gap = None
            else:
                gap = Stretch(gap.start, stretch.end) if gap else replace(stretch, blob=None)
        if gap is not None and self._missing is not None:
            yield gap, replace(gap, start=gap.end), b""

    def _moment(self, found: bytes) -> int:
        """When what is missing before these records was said, or rather what came after it."""
        first = next(records(found), None)
        if first is not None:
            return first.at
        return 0 if self._missing is None else self._missing.at

    def _content(self, stretch: Stretch) -> bytes:
        if stretch.blob is None:
            return b""
        length = stretch.end.records - stretch.start.records
        return content(self._blobs, stretch.blob, length)


def _kinds(streams: Collection[LogStream]) -> frozenset[int]:
    return frozenset(STREAMS.index(stream) for stream in streams)


def _voice(said: _Said) -> tuple[LogStream, int, int | None]:
    """What pieces have in common that are one to readers. Every note stands alone."""
    return said.stream, said.at, said.start if said.is_note else None


def _first(limit: int, said: Iterator[_Said]) -> Iterator[_Said]:
    """The first `limit` characters; notes count as they are long, and are never cut."""
    if limit < 0:
        raise ValueError("a limit is not negative")
    for each in said:
        if limit <= 0:
            return
        if len(each.text) > limit and not each.is_note:
            each = each._replace(text=each.text[:limit], end=each.start + limit)
        limit -= len(each.text)
        yield each
