"""HTTP/1.1 as uvicorn has it, with the deadlines, limits and JSON errors that it lacks.

Of uvicorn's class, methods are overridden that asyncio or the parser calls, and three more:
`send_400_response`, `handle_websocket_upgrade` and `on_response_complete`
(tests/test_private_names.py looks for them).
"""

import asyncio
from enum import StrEnum
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..graphql.answers import HttpError
from ..message_size import LIMIT, MAX_BYTES
from .refusal import refusal
from .upgrade_field import HEAD_END, known_bytes, without_unknown_upgrade
from .wire import Wire

MOST_ADDRESS_BYTES = 16 << 10
MOST_HEAD_BYTES = 32 << 10
MOST_FIELDS = 100
MOST_HANDSHAKE_LINE_BYTES = 8000
"""Which is what the library reads that takes over then."""
MOST_AROUND_BYTES = 32 << 10
"""Around a body: what says how long a chunk is, what extends that, and trailers."""
MOST_AROUND_A_BYTE = 1
"""And so many for each byte of the body: a long one has chunks of five bytes at least."""
PIECE_BYTES = 2048
SHORTEST_LINE = len("GET / HTTP/1.1")


class Part(StrEnum):
    """What may still have to come of a request."""

    HEAD = "head"
    BODY = "body"


class HttpConnection(HttpToolsProtocol):
    """Each part of a request has a deadline and a size; the next one waits for the answer."""

    seconds: ClassVar = {Part.HEAD: 10.0, Part.BODY: 30.0}

    transport: Wire
    _awaited: Part | None = Part.HEAD
    _timed: Part | None = None
    _deadline: asyncio.TimerHandle | None = None
    _in_head = False
    """Whether a head has begun, and not ended."""
    _latest = b""
    """What has come last of that head: its end may come in two pieces."""
    _withheld = b""
    """What the parser has not been given yet, because its meaning depends on what follows."""
    _unfinished = 0
    """Bytes that have come since a head began, but for those that came together with its begin."""
    _announced = 0
    """Bytes of the body that must come next, if its length is known."""
    _body_bytes = 0
    _around_bytes = 0
    _reason: HttpError | None = None
    """Why we stopped the parser."""

    @property
    def ready(self) -> bool:
        """Whether a piece is wanted: after a whole request, only once its answer is complete."""
        return self._awaited is not None or self.cycle is None or self.cycle.response_complete

    @property
    def idle(self) -> bool:
        """Whether the client has asked for nothing, or not yet for all of it."""
        return self.ready

    def piece(self, data: bytes, at: int) -> int:
        """What is left of the body, or all up to the end of a head.

        So two requests are in it at most: the end of one, and one that is short and whole.
        """
        if self._announced:
            return min(self._announced, len(data) - at)
        known = len(self._latest)
        bytes_of_it = self._latest + data[at : at + PIECE_BYTES]
        end = bytes_of_it.find(HEAD_END, 0 if self._in_head else SHORTEST_LINE)
        return (len(bytes_of_it) if end < 0 else end + len(HEAD_END)) - known

    def admitted(self, message_bytes: int) -> None:
        """Nothing changes: a request has its limits, whoever sends it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.url = b""
        self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._awaited = self._reason = None
        self._time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Behind a request that is whole, whatever comes begins the next one.
        self._awaited = self._awaited or Part.HEAD
        self._unfinished += len(data)
        if self._awaited is Part.BODY:
            self._around_bytes += len(data)
            super().data_received(data)
        else:
            super().data_received(without_unknown_upgrade(self._with_whole_upgrade(data)))
            self._latest = (self._latest + data)[1 - len(HEAD_END) :] if self._in_head else b""
        if reason := self._too_much():
            self._refuse(reason)
        self._time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["admit"] = self.transport.admit
        self._awaited, self._unfinished = Part.HEAD, 0
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # The application has the head by then: it must not grow, and trailers mean nothing to it.
        if self._awaited is Part.HEAD and len(self.headers) <= MOST_FIELDS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if reason := self._reason_to_refuse():
            # The parser stops, and uvicorn calls `send_400_response`.
            self._reason = reason
            raise reason
        super().on_headers_complete()
        self._awaited = Part.BODY
        self._announced = self._length()
        self._body_bytes = self._around_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._announced -= min(len(body), self._announced)
        self._body_bytes += len(body)
        self._around_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaited = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.transport.go_on()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._reason or HttpError(400, "This is not a request of HTTP/1.1"))

    def handle_websocket_upgrade(self) -> None:
        if self.scope["method"] != "GET":
            self._refuse(HttpError(405, "A WebSocket begins with GET", {"Allow": "GET"}))
        elif reason := self._too_long_for_a_handshake():
            self._refuse(reason)
        else:
            super().handle_websocket_upgrade()

    def _with_whole_upgrade(self, data: bytes) -> bytes:
        """The next bytes of a head, up to where a wish for a protocol may be cut in two."""
        is_whole = (self._latest + data).endswith(HEAD_END)
        data = self._withheld + data
        end = len(data) if is_whole else known_bytes(data)
        self._withheld = data[end:]
        return data[:end]

    def _reason_to_refuse(self) -> HttpError | None:
        if len(self.url) > MOST_ADDRESS_BYTES:
            return HttpError(414, f"An address can have {MOST_ADDRESS_BYTES} bytes")
        size = sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEAD_BYTES or len(self.headers) > MOST_FIELDS:
            return _too_large_a_head()
        return None

    def _too_long_for_a_handshake(self) -> HttpError | None:
        limit = f"of a WebSocket's handshake can have {MOST_HANDSHAKE_LINE_BYTES} bytes"
        if len(self.url) > MOST_HANDSHAKE_LINE_BYTES:
            return HttpError(414, f"The address {limit}")
        if any(len(name) + len(value) > MOST_HANDSHAKE_LINE_BYTES for name, value in self.headers):
            return HttpError(431, f"A field {limit}")
        return None

    def _too_much(self) -> HttpError | None:
        if self._awaited is Part.HEAD and self._unfinished > MOST_ADDRESS_BYTES + MOST_HEAD_BYTES:
            return _too_large_a_head()
        return self._too_much_of_a_body() if self._awaited is Part.BODY else None

    def _too_much_of_a_body(self) -> HttpError | None:
        if self._around_bytes > MOST_AROUND_BYTES + MOST_AROUND_A_BYTE * self._body_bytes:
            return HttpError(413, f"Around a body there can be {MOST_AROUND_BYTES} bytes")
        if self._body_bytes > 2 * MAX_BYTES:
            # Nobody reads it: who does has said no already.
            return HttpError(413, f"The body is larger than the limit: {LIMIT}")
        return None

    def _length(self) -> int:
        """Of the body, if the client says it; 0 if it comes in chunks, or there is hardly one."""
        if self.scope["method"] == "GET":
            return 0
        said = dict(self.headers).get(b"content-length", b"")
        return int(said) if said.isdigit() else 0

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
        """Says no, unless another answer is due or was given, and hangs up."""
        if not self._is_answered():
            self.transport.write(refusal(reason, self.url))
        self.transport.close()

    def _is_answered(self) -> bool:
        """Whether what is said now would not be taken for the answer to what is refused."""
        if self.cycle is None:
            return False
        if self._awaited is Part.BODY:
            return self.cycle.response_started
        return not self.cycle.response_complete


def _too_large_a_head() -> HttpError:
    bounds = f"{MOST_FIELDS} fields and {MOST_HEAD_BYTES} bytes"
    return HttpError(431, f"The head of a request can have {bounds}")
