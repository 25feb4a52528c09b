"""Values that are too large for memory, each in a file of its execution."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..execution.stored import StoredValue, TooLarge
from .blobs import Draft, FolderBlobs, blob_name

ROOT = "values"
INLINE_BYTES = 256 * 1024
"""A value of at most so many bytes is in memory."""
PIECE_BYTES = 1 << 20


class ValueStore:
    """Everything here waits for the disk: call it in a thread.

    Raises:
        ValueError: an id is none that a file's name may contain.
        OSError: the disk is full, or a file has gone.
    """

    def __init__(self, blobs: FolderBlobs) -> None:
        self._blobs = blobs

    def spool(self, execution_id: str, stage_id: str, attempt: int, limit: int) -> "ValueSpool":
        """Takes a value of at most `limit` bytes as it is produced."""
        return ValueSpool(self._blobs, _name(execution_id, stage_id, attempt), limit)

    def adopt(
        self, execution_id: str, stage_id: str, attempt: int, file: Path, sha256: str
    ) -> StoredValue:
        """Takes over a file of which that is the SHA-256, and removes it."""
        name, size = _name(execution_id, stage_id, attempt), file.stat().st_size
        self._blobs.put(name, _pieces(file))
        file.unlink()
        return StoredValue(name, size, sha256)

    def copy(self, value: StoredValue, execution_id: str) -> StoredValue:
        """The same value as one of another execution."""
        name = blob_name(ROOT, execution_id, *value.name.split("/")[2:])
        self._blobs.put(name, self._blobs.read(value.name))
        return replace(value, name=name)

    def read(self, value: StoredValue, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Its bytes from `start` up to `end`."""
        return self._blobs.read(value.name, start, end)

    def path(self, value: StoredValue) -> Path:
        """
        Raises:
            FileNotFoundError: its file has gone.
        """
        path = self._blobs.path(value.name)
        if path is None:
            raise FileNotFoundError(f"the value {value.name} has gone")
        return path

    def remove(self, execution_id: str) -> None:
        """Removes the values of an execution, if there are any."""
        self._blobs.remove(blob_name(ROOT, execution_id))


class ValueSpool:
    """In memory up to INLINE_BYTES, in a file beyond. For one thread at a time."""

    def __init__(self, blobs: FolderBlobs, name: str, limit: int) -> None:
        self._blobs = blobs
        self._name = name
        self._left = limit
        self._size = 0
        self._hash = hashlib.sha256()
        self._start = bytearray()
        self._draft: Draft | None = None

    def write(self, data: bytes) -> None:
        """
        Raises:
            TooLarge: there is more than may be; nothing of it is kept.
            OSError: the disk is full.
        """
        self._left -= len(data)
        if self._left < 0:
            self.discard()
            raise TooLarge
        self._size += len(data)
        self._hash.update(data)
        if self._draft is None:
            self._start += data
            if self._size <= INLINE_BYTES:
                return
            self._draft = self._blobs.draft(self._name)
            data, self._start = bytes(self._start), bytearray()
        self._draft.write(data)

    def finish(self) -> bytes | StoredValue:
        """The whole: itself if it is small."""
        if self._draft is None:
            return bytes(self._start)
        self._draft.commit()
        return StoredValue(self._name, self._size, self._hash.hexdigest())

    def discard(self) -> None:
        """Leaves nothing behind; after `finish`, it does nothing."""
        if self._draft is not None:
            with suppress(OSError):
                self._draft.discard()


def _name(execution_id: str, stage_id: str, attempt: int) -> str:
    return blob_name(ROOT, execution_id, stage_id, str(attempt))


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            yield piece
