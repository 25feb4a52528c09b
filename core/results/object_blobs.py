"""Blobs in an object store (S3 and what speaks like it, GCS, Azure); needs `runcast[objects]`."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import from_url

from ..encoded_text import Chunk
from .blobs import Appender, Blobs, Draft, Listing, blob_name

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK_BYTES = 4 << 20
RETRY_SECONDS = 10.0
"""How long a request is tried anew. Whoever logs waits for it."""
MESSAGE_CHARACTERS = 200


class ObjectBlobs(Blobs):
    """Objects below a URL such as `s3://bucket/prefix`.

    The rest comes from the variables that the store's own tools read, such as `AWS_REGION` and
    `AWS_ENDPOINT_URL` (`AWS_ALLOW_HTTP=true` if that is without TLS).

    An object cannot grow: to append to one is to put all of it once more, which is why
    `append_bytes` is small, and whoever appends does well to gather what comes meanwhile.

    Raises:
        ValueError: the URL is not that of an object store.
    """

    append_bytes = 256 << 10

    def __init__(self, url: str) -> None:
        try:
            self._store = from_url(
                url, retry_config={"retry_timeout": timedelta(seconds=RETRY_SECONDS)}
            )
        except BaseError as error:
            raise ValueError(_in_brief(error)) from error

    def appender(self, name: str) -> Appender:
        return _ObjectAppender(self._store, blob_name(*name.split("/")))

    def draft(self, name: str) -> Draft:
        return _ObjectDraft(self._store, blob_name(*name.split("/")))

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        # One request a chunk: the deadline of a request then holds whatever the object's size is.
        size = self.size(name)
        if size is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", name)
        end = size if end is None else min(end, size)
        for begin in range(start, end, CHUNK_BYTES):
            with _as_os_errors(name):
                data = self._store.get_range(name, start=begin, end=min(begin + CHUNK_BYTES, end))
            yield data.to_bytes()

    def size(self, name: str) -> int | None:
        blob_name(*name.split("/"))
        try:
            with _as_os_errors(name):
                return self._store.head(name)["size"]
        except FileNotFoundError:
            return None

    def truncate(self, name: str, size: int) -> None:
        self.put(name, [b"".join(self.read(name, 0, size))])

    def remove(self, name: str) -> None:
        names = [below for below, _ in self.list(name)]
        if self.size(name) is not None:
            names.append(name)
        with _as_os_errors(name):
            self._store.delete(names)

    def path(self, name: str) -> Path | None:
        blob_name(*name.split("/"))
        return None

    def list(self, prefix: str) -> Listing:
        blob_name(*prefix.split("/"))
        with _as_os_errors(prefix):
            found = self._store.list(prefix).collect()
        return sorted((each["path"], each["size"]) for each in found)

    def parts(self, prefix: str) -> set[str]:
        blob_name(*prefix.split("/"))
        with _as_os_errors(prefix):
            found = self._store.list_with_delimiter(prefix)
        return {name.removeprefix(f"{prefix}/") for name in found["common_prefixes"]}


class _ObjectAppender:
    def __init__(self, store: "ObjectStore", name: str) -> None:
        self._store = store
        self._name = name
        self._content: bytes | None = None

    def append(self, *data: Chunk) -> None:
        with _as_os_errors(self._name):
            if self._content is None:
                self._content = self._stored()
            content = b"".join((self._content, *data))
            self._store.put(self._name, content, use_multipart=False)
        self._content = content

    def close(self) -> None:
        self._content = None

    def _stored(self) -> bytes:
        try:
            return self._store.get(self._name).bytes().to_bytes()
        except FileNotFoundError:
            return b""


class _ObjectDraft:
    """In a temporary file until it is committed.

    A multipart upload that is given up would leave parts in the bucket that nobody sees and
    somebody pays for.
    """

    def __init__(self, store: "ObjectStore", name: str) -> None:
        self._store = store
        self._name = name
        self._file = TemporaryFile(prefix="runcast-")  # noqa: SIM115

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> None:
        self._file.seek(0)
        with _as_os_errors(self._name):
            self._store.put(self._name, self._file)
        self._file.close()

    def discard(self) -> None:
        self._file.close()


@contextmanager
def _as_os_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, _in_brief(error), name) from error
    except BaseError as error:
        raise OSError(errno.EIO, _in_brief(error), name) from error


def _in_brief(error: Exception) -> str:
    """What was wrong, without the request before it and the answer's XML behind it."""
    line = str(error).split("\n", 1)[0]
    return line.split(" - ", 1)[-1].split(": <", 1)[0][:MESSAGE_CHARACTERS]
