"""A result file that is read piece by piece."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .blobs import chunks_of


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file as it was found: where, which one, and how many bytes it has. Reading blocks."""

    path: Path
    inode: tuple[int, int]
    size: int

    @classmethod
    def at(cls, path: Path) -> Self:
        """
        Raises:
            OSError: there is none.
        """
        found = path.stat(follow_symlinks=False)
        return cls(path, (found.st_dev, found.st_ino), found.st_size)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`. It is opened with the first piece.

        Raises:
            OSError: it was removed or replaced since it was found: its size has been announced.
        """
        with open(self.path, "rb", buffering=0, opener=_opener) as file:
            now = os.fstat(file.fileno())
            if (now.st_dev, now.st_ino) != self.inode:
                raise FileNotFoundError(errno.ENOENT, "the result file was replaced", self.path)
            yield from chunks_of(file, start, end)

    def ends(self, length: int) -> tuple[bytes, bytes]:
        """So many bytes of its beginning and of its end."""
        first, last = self.read(0, length), self.read(max(0, self.size - length), self.size)
        return b"".join(first), b"".join(last)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
