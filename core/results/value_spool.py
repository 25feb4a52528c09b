"""A value while it is produced: in memory as long as it is small, then in the store."""

from hashlib import sha256

from ..execution.stored import StoredValue, TooLarge
from .blobs import Blobs, Draft

INLINE_BYTES = 256 << 10


class ValueSpool:
    """Takes the bytes of one value, at most `limit` of them. For one thread at a time.

    Up to `inline_bytes` are a value of their own, more become the blob `name`: nobody sees it
    before `finish`, and nothing is left of it after `discard`.

    Raises:
        OSError: from all methods: the store cannot take it. `discard` is due then.
    """

    def __init__(
        self, blobs: Blobs, name: str, *, limit: int, inline_bytes: int = INLINE_BYTES
    ) -> None:
        self.size = 0
        self._blobs = blobs
        self._name = name
        self._limit = limit
        self._inline_bytes = inline_bytes
        self._hash = sha256()
        self._inline = bytearray()
        self._draft: Draft | None = None

    def write(self, data: bytes) -> None:
        """Adds to the value.

        Raises:
            TooLarge: with this it would be over the limit; `discard` is due.
        """
        if self.size + len(data) > self._limit:
            raise TooLarge(self._limit)
        self.size += len(data)
        if self._draft is not None:
            self._spill(self._draft, data)
            return
        self._inline += data
        if self.size > self._inline_bytes:
            self._draft = self._blobs.draft(self._name)
            self._spill(self._draft, bytes(self._inline))
            self._inline.clear()

    def finish(self) -> bytes | StoredValue:
        """The whole value, or where it is."""
        if self._draft is None:
            return bytes(self._inline)
        self._draft.commit()
        return StoredValue(self._name, self.size, self._hash.hexdigest())

    def store(self, data: bytes) -> bytes | StoredValue:
        """All at once: the value, or where it is. Nothing is left of one that cannot be stored.

        Raises:
            TooLarge: it is over the limit.
        """
        try:
            self.write(data)
            return self.finish()
        finally:
            self.discard()

    def discard(self) -> None:
        """Forgets the value; once it is finished, this does nothing."""
        if self._draft is not None:
            self._draft.discard()

    def _spill(self, draft: Draft, data: bytes) -> None:
        draft.write(data)
        self._hash.update(data)
