"""Values that are too large for their execution: whole in the store, or not there at all."""

import errno
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ..execution.stored import StoredValue
from .blobs import Blobs, blob_name
from .value_spool import INLINE_BYTES, ValueSpool

ROOT = "values"
CHUNK_BYTES = 1 << 20


class ValueStore:
    """One value for each attempt of a stage, `values/<execution>/<stage>/<attempt>`.

    Everything waits for the disk or the network: call it in a thread.

    Raises:
        ValueError: an id is none that a blob's name may contain.
        OSError: the value cannot be stored or read, or is not the one that was stored.
    """

    def __init__(self, blobs: Blobs, *, inline_bytes: int = INLINE_BYTES) -> None:
        """A value of more bytes than `inline_bytes` is a blob."""
        self._blobs = blobs
        self.inline_bytes = inline_bytes

    def spool(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        *,
        limit: int,
    ) -> ValueSpool:
        """For a value that comes bit by bit and is at most `limit` bytes long."""
        name = blob_name(ROOT, execution_id, stage_id, str(attempt))
        return ValueSpool(self._blobs, name, limit=limit, inline_bytes=self.inline_bytes)

    def put(
        self, execution_id: str, stage_id: str, attempt: int, chunks: Iterable[bytes]
    ) -> StoredValue:
        """Stores a value of any size; nothing of it if `chunks` raises."""
        name = blob_name(ROOT, execution_id, stage_id, str(attempt))
        size, hash = 0, sha256()

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                size += len(chunk)
                hash.update(chunk)
                yield chunk

        self._blobs.put(name, counted())
        return StoredValue(name, size, hash.hexdigest())

    def adopt(
        self, execution_id: str, stage_id: str, attempt: int, file: Path, sha256: str
    ) -> StoredValue:
        """Takes over a file of which that is the hash; removes it, also if it cannot be stored."""
        name, size = blob_name(ROOT, execution_id, stage_id, str(attempt)), file.stat().st_size
        try:
            self._blobs.put(name, _chunks(file))
        finally:
            file.unlink()
        return StoredValue(name, size, sha256)

    def copy(self, stored: StoredValue, execution_id: str) -> StoredValue:
        """The same value as one of another execution."""
        name = blob_name(ROOT, execution_id, *stored.name.split("/")[2:])
        self._blobs.put(name, self.read(stored))
        return replace(stored, name=name)

    def read(self, stored: StoredValue, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of the value from `start` up to `end`, in chunks of a few MiB at most."""
        self._check(stored)
        return self._blobs.read(stored.name, start, end)

    def text(self, stored: StoredValue) -> str:
        """The value as text; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.read(stored)).decode("utf-8", "replace")

    def path(self, stored: StoredValue) -> Path | None:
        """The file of the value, to be read only; None if it is not on this machine."""
        self._check(stored)
        return self._blobs.path(stored.name)

    def executions(self) -> set[str]:
        """The executions that have values, and perhaps other names."""
        return self._blobs.parts(ROOT)

    def remove(self, execution_id: str) -> None:
        """Removes the values of an execution, if there are any."""
        self._blobs.remove(blob_name(ROOT, execution_id))

    def _check(self, stored: StoredValue) -> None:
        # A loss of power may have cut it: that is not handed on.
        size = self._blobs.size(stored.name)
        if size is None:
            raise FileNotFoundError(errno.ENOENT, "the value is gone", stored.name)
        if size != stored.size:
            raise OSError(errno.EIO, f"the value has {size} bytes, not {stored.size}", stored.name)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk
