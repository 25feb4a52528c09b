"""Named bytes that outlive the process: the port, and the folder behind it by default."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import RawIOBase
from pathlib import Path
from stat import S_ISREG
from typing import Protocol, TypeAlias
from uuid import uuid4

from ..encoded_text import Chunk

CHUNK_BYTES = 256 << 10
PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

Listing: TypeAlias = list[tuple[str, int]]
"""Names and sizes in bytes, sorted by name."""


def blob_name(*parts: str) -> str:
    """The parts of a name, such as the ids of an execution and of a stage, with slashes between.

    Raises:
        ValueError: a part is empty, begins with a dot, or has characters other than
            `[A-Za-z0-9._-]`: none leads out of the store.
    """
    for part in parts:
        if PART.fullmatch(part) is None:
            raise ValueError(f"{part!r} cannot be part of a blob's name")
    return "/".join(parts)


class Appender(Protocol):
    """The end of one blob, open for more. For one thread at a time."""

    def append(self, *data: Chunk) -> None:
        """Adds the data, one after another; when it returns, no kill -9 of the process loses it.

        Raises:
            OSError: a part of the data, or nothing of it, was added.
        """
        ...

    def close(self) -> None:
        """Ends it; again, it does nothing."""
        ...


class Draft(Protocol):
    """A blob that is being made: nobody sees it before `commit`. For one thread at a time."""

    def write(self, data: bytes) -> None:
        """Adds the data to what will be the blob."""
        ...

    def commit(self) -> None:
        """Puts the blob into the store, in place of one that has its name."""
        ...

    def discard(self) -> None:
        """Leaves nothing behind; after `commit`, it does nothing."""
        ...


class Blobs(Protocol):
    """Bytes by name.

    Names are relative, as `blob_name` makes them, and no blob's name is the beginning of another's
    (`a` and `a/b`). Everything waits for the disk or the network, call it in a thread; several
    threads may be at different names.

    Raises:
        ValueError: that is no name of a blob.
        OSError: the disk is full, the store is away...; as the system has it.
    """

    append_bytes: int
    """A good size for blobs that are written bit by bit and read in part."""

    def appender(self, name: str) -> Appender:
        """For adding to a blob, which is made if there is none."""
        ...

    def draft(self, name: str) -> Draft:
        """For making a blob, whole or not at all."""
        ...

    def put(self, name: str, chunks: Iterable[bytes]) -> None:
        """Makes a blob of the chunks, whole or not at all: not if `chunks` raises, either."""
        draft = self.draft(name)
        try:
            for chunk in chunks:
                draft.write(chunk)
            draft.commit()
        finally:
            draft.discard()

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, or to the blob's end, in chunks of a few MiB at most.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        ...

    def size(self, name: str) -> int | None:
        """In bytes; None if there is no such blob."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Cuts a blob off after `size` bytes, of which it has at least as many.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        ...

    def remove(self, name: str) -> None:
        """Removes the blob of this name and all below it (`name/…`), if there are any."""
        ...

    def path(self, name: str) -> Path | None:
        """The file of the blob, to be read only; None if there is none on this machine."""
        ...

    def list(self, prefix: str) -> Listing:
        """The blobs below `prefix`, that is `prefix/…`."""
        ...

    def parts(self, prefix: str) -> set[str]:
        """Which parts of names come after `prefix/` and are not the last: `a` of `prefix/a/…`.

        What a killed process has left of a blob counts, too: `remove` takes that as well.
        """
        ...


class FolderBlobs(Blobs):
    """Files in a folder, which is made when it is needed.

    What was put or appended outlives the process, but perhaps not a loss of power.
    """

    append_bytes = 1 << 20

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def appender(self, name: str) -> Appender:
        return _FileAppender(self._path(name))

    def draft(self, name: str) -> Draft:
        return _FileDraft(self._path(name))

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        with self._path(name).open("rb", buffering=0) as file:
            yield from chunks_of(file, start, end)

    def size(self, name: str) -> int | None:
        try:
            found = self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if S_ISREG(found.st_mode) else None

    def truncate(self, name: str, size: int) -> None:
        os.truncate(self._path(name), size)

    def remove(self, name: str) -> None:
        path = self._path(name)
        with suppress(FileNotFoundError, NotADirectoryError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def path(self, name: str) -> Path | None:
        path = self._path(name)
        return path if path.is_file() else None

    def list(self, prefix: str) -> Listing:
        folder = self._path(prefix)
        return sorted((f"{prefix}/{name}", size) for name, size in _files(folder))

    def parts(self, prefix: str) -> set[str]:
        try:
            entries = os.scandir(self._path(prefix))
        except (FileNotFoundError, NotADirectoryError):
            return set()
        with entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}

    def _path(self, name: str) -> Path:
        return self._root / blob_name(*name.split("/"))


def chunks_of(file: RawIOBase, start: int, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `start` up to `end` or its own end, in chunks of CHUNK_BYTES."""
    file.seek(start)
    while end is None or start < end:
        data = file.read(CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - start))
        if not data:
            return
        start += len(data)
        yield data


class _FileAppender:
    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._file = os.open(path, flags, 0o666)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, flags, 0o666)

    def append(self, *data: Chunk) -> None:
        written = os.writev(self._file, data)
        if written == sum(map(len, data)):
            return
        # A full disk takes a part, and refuses only what is written then.
        left = memoryview(b"".join(data))[written:]
        while left:
            left = left[os.write(self._file, left) :]

    def close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


class _FileDraft:
    def __init__(self, path: Path) -> None:
        # In the same folder, so that whoever removes that takes what a killed process has left.
        self._unfinished = path.with_name(f".{uuid4().hex}")
        self._path = path
        self._file = _FileAppender(self._unfinished)

    def write(self, data: bytes) -> None:
        self._file.append(data)

    def commit(self) -> None:
        self._file.close()
        self._unfinished.replace(self._path)

    def discard(self) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """The files below a folder, relative to it; one that goes meanwhile is left out."""
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                below = _files(folder / entry.name)
                yield from ((f"{entry.name}/{name}", size) for name, size in below)
            else:
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False).st_size
