"""Connections as uvicorn has them, with the deadlines, limits and JSON errors that it lacks.

Of uvicorn's classes, methods are overridden that asyncio or the parser calls, and two more:
`send_400_response` and `handle_websocket_upgrade` (tests/test_private_names.py looks for them).
"""

import asyncio
import logging
import re
from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .graphql.answers import HttpError
from .guards import error_response

MOST_ADDRESS_BYTES = 16 << 10
MOST_HEAD_BYTES = 32 << 10
MOST_FIELDS = 100
UPGRADE = re.compile(rb"\r\nupgrade:(?!\s*websocket\s*\r)", re.IGNORECASE)

logger = logging.getLogger("runcast.connections")


class ReaderDeadline(asyncio.Protocol):
    """Cuts a client off that takes nothing of what is sent to it for ten seconds.

    uvicorn waits for it for ever: `transport.close()` sends what is left before it closes. A slow
    client that takes a little now and then stays.
    """

    stalled_seconds: ClassVar = 10.0
    look_seconds: ClassVar = 2.0

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    _next_look: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_later(self.transport.get_write_buffer_size(), self.loop.time())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def _look_later(self, unsent: int, since: float) -> None:
        self._next_look = self.loop.call_later(self.look_seconds, self._look, unsent, since)

    def _look(self, unsent: int, since: float) -> None:
        left = self.transport.get_write_buffer_size()
        if left < unsent:
            self._look_later(left, self.loop.time())
        elif self.loop.time() - since < self.stalled_seconds:
            self._look_later(unsent, since)
        else:
            logger.info("a client that took nothing for %d s is cut off", self.stalled_seconds)
            self.transport.abort()

    def _look_no_more(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()


class WebSocketConnection(ReaderDeadline, WebSocketsSansIOProtocol):
    """A socket."""


class Part(StrEnum):
    """What may still have to come of a request."""

    HEAD = "head"
    BODY = "body"


class HttpConnection(ReaderDeadline, HttpToolsProtocol):
    """HTTP/1.1: each part of a request has a deadline, its head a size; errors are JSON."""

    seconds: ClassVar = {Part.HEAD: 10.0, Part.BODY: 30.0}

    _awaited: Part | None = Part.HEAD
    _timed: Part | None = None
    _deadline: asyncio.TimerHandle | None = None
    _unfinished = 0
    """Bytes that have come since a head began, but for those that came together with its begin."""
    _reason: HttpError | None = None
    """Why we stopped the parser."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.url = b""
        self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._awaited = None
        self._time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Behind a request that is whole, whatever comes begins the next one.
        self._awaited = self._awaited or Part.HEAD
        self._unfinished += len(data)
        super().data_received(_without_upgrade(data) if self._awaited is Part.HEAD else data)
        if self._awaited is Part.HEAD and self._unfinished > MOST_ADDRESS_BYTES + MOST_HEAD_BYTES:
            self._refuse(_too_large_a_head())
        self._time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaited, self._unfinished = Part.HEAD, 0

    def on_headers_complete(self) -> None:
        if reason := self._reason_to_refuse():
            # The parser stops, and uvicorn calls `send_400_response`.
            self._reason = reason
            raise reason
        super().on_headers_complete()
        self._awaited = Part.BODY

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaited = None

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._reason or HttpError(400, "This is not a request of HTTP/1.1"))

    def handle_websocket_upgrade(self) -> None:
        if self.scope["method"] == "GET":
            super().handle_websocket_upgrade()
        else:
            self._refuse(HttpError(405, "A WebSocket begins with GET", {"Allow": "GET"}))

    def _reason_to_refuse(self) -> HttpError | None:
        if len(self.url) > MOST_ADDRESS_BYTES:
            return HttpError(414, f"An address can have {MOST_ADDRESS_BYTES} bytes")
        size = sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEAD_BYTES or len(self.headers) > MOST_FIELDS:
            return _too_large_a_head()
        return None

    def _time(self) -> None:
        """Sets the deadline of what is awaited now, unless it is set."""
        if self._awaited is self._timed:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._timed = part = self._awaited
        if part is not None:
            self._deadline = self.loop.call_later(self.seconds[part], self._overdue, part)

    def _overdue(self, part: Part) -> None:
        limit = f"The {part} of a request must come within {self.seconds[part]:g} s"
        if self.scope is None:
            # Browsers connect ahead of need, and would take what is said now for an answer.
            self.transport.close()
        else:
            self._refuse(HttpError(408, limit))

    def _refuse(self, reason: HttpError) -> None:
        """Says no, unless an answer is due to an earlier request, and hangs up."""
        if not self._answering():
            self.transport.write(_response(reason, self.url))
        self.transport.close()

    def _answering(self) -> bool:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return cycle.response_started or self._awaited is Part.HEAD


def _without_upgrade(data: bytes) -> bytes:
    """The head without a wish for a protocol that we do not speak, such as h2c.

    A server may pass it over (RFC 9110, section 7.8), which the parser does not: it would stop
    before the body. Java's HTTP client sends it with every first request.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return UPGRADE.sub(b"\r\nx-upgrade:", head + end[:2]) + end[2:] + body


def _too_large_a_head() -> HttpError:
    bounds = f"{MOST_FIELDS} fields and {MOST_HEAD_BYTES} bytes"
    return HttpError(431, f"The head of a request can have {bounds}")


def _response(reason: HttpError, url: bytes) -> bytes:
    path = url.partition(b"?")[0].decode("latin-1")
    headers = {"Connection": "close"} | dict(reason.headers or {})
    scope = {"type": "http", "path": path, "headers": []}
    response = error_response(scope, reason.message, reason.status, headers)
    status = HTTPStatus(reason.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body)
