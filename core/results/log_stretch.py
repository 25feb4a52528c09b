"""What is stored of a log, and what is left out between."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..execution.log import LogStream
from .blobs import Blobs
from .log_position import STREAMS, LogPosition
from .log_record import LOSS, LOSS_BYTES, Loss, end_of, records


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a log: in a segment (`blob`), or left out.

    `reason` is why it could not be stored. It is None for what was dropped from a long log.
    """

    start: LogPosition
    end: LogPosition
    blob: str | None = None
    reason: str | None = None

    def characters_of(self, streams: Collection[LogStream]) -> int:
        """How much these streams say in it."""
        return self.end.characters_of(streams) - self.start.characters_of(streams)

    def note(self, streams: Collection[LogStream]) -> str:
        """What readers of these streams find in place of what is left out of them."""
        number = self.characters_of(streams)
        if number <= 0:
            return ""
        characters = f"{number:,} character{'s' if number > 1 else ''}"
        if self.reason is None:
            return f"\n[{characters} left out here]\n"
        return f"\n[{characters} could not be stored: {self.reason}]\n"

    def size_bytes(self, streams: Collection[LogStream]) -> int:
        """The length of what readers of these streams find, in UTF-8."""
        if self.blob is None:
            return len(self.note(streams).encode())
        return self.end.bytes_of(streams) - self.start.bytes_of(streams)


def stretches(blobs: Blobs, folder: str) -> Iterator[Stretch]:
    """The stretches of the log in a folder, from its beginning to its end.

    A segment is read only if something may be missing behind it: its size is then not what the
    name of the next one says.
    """
    reached = LogPosition()
    segments = _segments(blobs, folder)
    for index, (name, start, size) in enumerate(segments):
        following = segments[index + 1][1] if index + 1 < len(segments) else None
        if following is not None and start.records + size == following.records:
            end = following
        else:
            end = end_of(start, content(blobs, name, size))
        if end.records == start.records:
            continue  # not one whole record is in it
        if reached.characters_of(STREAMS) < start.characters_of(STREAMS):
            yield Stretch(reached, start, reason=_reason(blobs, name, reached, start))
        yield Stretch(start, end, name)
        reached = end


def content(blobs: Blobs, name: str, size: int) -> bytes:
    """The first `size` bytes of a segment; nothing if it was dropped meanwhile."""
    try:
        return b"".join(blobs.read(name, 0, size))
    except FileNotFoundError:
        return b""


def cut_torn_record(blobs: Blobs, folder: str) -> None:
    """Cuts off what a killed process has written of a record at the end of the log."""
    for name, start, size in _segments(blobs, folder)[-1:]:
        whole = end_of(start, content(blobs, name, size)).records - start.records
        if whole == 0:
            blobs.remove(name)
        elif whole < size:
            blobs.truncate(name, whole)


def _segments(blobs: Blobs, folder: str) -> list[tuple[str, LogPosition, int]]:
    named = (
        (name, LogPosition.named(name.removeprefix(f"{folder}/")), size)
        for name, size in blobs.list(folder)
    )
    return [(name, start, size) for name, start, size in named if start is not None]


def _reason(blobs: Blobs, name: str, start: LogPosition, end: LogPosition) -> str | None:
    """What a segment knows of why all that stood between these positions is missing."""
    first = next(records(content(blobs, name, LOSS_BYTES)), None)
    if first is None or first.kind != LOSS:
        return None
    loss = Loss.read(first)
    # Where more is missing, segments that were dropped are part of it.
    missing = Stretch(start, end).characters_of(STREAMS)
    return loss.reason if loss.characters >= missing else None
