"""Bytes that are sent as a whole or in part, as a Range header asks for (RFC 9110, section 14)."""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..core.results.files import ExecutionFiles

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Read(Protocol):
    """Returns the bytes from `start` up to `end`, piece by piece; called in a thread."""

    def __call__(self, start: int, end: int) -> Iterator[bytes]: ...


def ranged(
    files: ExecutionFiles,
    request: Request,
    size: int,
    read: Read,
    media_type: str,
    headers: Mapping[str, str],
) -> Response:
    """All of the `size` bytes, or the part that is asked for. Several parts at once are not."""
    start, end, status = 0, size, 200
    sent = dict(headers) | {"Accept-Ranges": "bytes"}
    if found := RANGE.fullmatch(request.headers.get("range", "")):
        start, end = _part(found[1], found[2], size)
        if start >= end:
            sent["Content-Range"] = f"bytes */{size}"
            return Response(status_code=416, headers=sent)
        sent["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        status = 206
    sent["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=sent, media_type=media_type)
    return StreamingResponse(files.in_pieces(read(start, end)), status, sent, media_type)


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    """From where to where, of a Range: `first-last`, `first-` or `-length`."""
    if not first:
        return (max(0, size - int(last)), size) if last else (size, size)
    return int(first), min(int(last) + 1, size) if last else size
