"""A WebSocket as uvicorn has it, with the limits that it lacks.

Of uvicorn's class, methods are overridden that asyncio or uvicorn's HTTP protocol calls, those of
ASGI, `handle_connect` and `send_receive_event_to_app`; `handle_parser_exception` is called
(tests/test_private_names.py looks for them).
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from ...core.clock import SystemClock
from ...core.rate_limit import PAUSE_SECONDS, TokenBucket
from ..graphql.answers import HttpError
from ..message_size import STRANGER_BYTES
from .frames import Frames, text_frame
from .refusal import refusal
from .wire import Wire

FRAME_BURST = 1000
FRAMES_PER_SECOND = 300
"""Of whatever kind: text, ping, pong, fragment. Those beyond wait, and more than 10,000 fragments
of one message come too late."""
NO_UTF_8, POLICY_VIOLATION = 1007, 1008


class WebSocketConnection(WebSocketsSansIOProtocol):
    """Its frames are counted, its messages are limited in size and time."""

    message_seconds: ClassVar = 30.0

    transport: Wire
    _too_soon: asyncio.TimerHandle | None = None
    """Set while there have been too many frames."""
    _deadline: asyncio.TimerHandle | None = None
    """Set while there is a part of a message."""
    _is_known = False
    _is_asked = False
    """Whether the application waits for a message."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.conn.max_message_size = STRANGER_BYTES
        self._frames = Frames()
        self._bucket = TokenBucket(SystemClock(), FRAME_BURST, FRAMES_PER_SECOND)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._too_soon, self._deadline):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    @property
    def ready(self) -> bool:
        """Whether it can take a frame: not before it is accepted, nor too many in a short time.

        What a stranger sends is looked at one by one: a message may say who it is.
        """
        if self.close_sent:
            return True
        is_expected = self._is_known or self._is_asked
        return self.handshake_complete and self._too_soon is None and is_expected

    @property
    def idle(self) -> bool:
        """Whether its client has not introduced itself yet."""
        return not self._is_known

    def piece(self, data: bytes, at: int) -> int:
        """What has come of one frame; all there is once nobody looks at it any more."""
        return len(data) - at if self.conn.parser_exc else self._frames.piece(data, at)

    def admitted(self, message_bytes: int) -> None:
        """Its messages may have so many bytes."""
        self._is_known = True
        self.conn.max_message_size = message_bytes

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:
            reason = HttpError(400, "This is no handshake of a WebSocket")
            self.transport.write(refusal(reason))
            self.transport.close()
        elif self.handshake_complete:
            self._is_asked = self._is_asked and not self.read_paused
            self._count()
            self._time()

    async def receive(self) -> Any:
        self._is_asked = True
        self.transport.go_on()
        return await super().receive()

    async def send(self, message: Any) -> None:
        await self.writable.wait()
        if self.close_sent:
            # The client's next frame, or its silence, has ended what this message is the answer to.
            raise ClientDisconnected
        await super().send(message)
        if self.close_sent:
            # What the client has sent is passed over now, up to its answer to that.
            self.transport.go_on()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["state"]["admit"] = self.transport.admit
            self.scope["state"]["send_text_now"] = self.send_text_now

    def send_text_now(self, text: bytes) -> bool:
        """Sends a text in UTF-8, unless the client has not taken yet what was sent before, or the
        connection is not open: then it returns False.

        It is what `send` does, for a tenth of the time, as there is no extension that would change
        the frame.
        """
        if not self.transport.takes_more or self.conn.state is not State.OPEN:
            return False
        if self.close_sent or self.conn.extensions:
            return False
        self.transport.write(text_frame(text))
        return True

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf_8(b"".join(self.frames)):
            self.frames = []
            self._fail(NO_UTF_8, "A text must be UTF-8")
        else:
            super().send_receive_event_to_app()

    def _count(self) -> None:
        """A frame is whole, perhaps: the next one may have to wait."""
        if not self._frames.between:
            return
        self._bucket.take()
        if not self._bucket.available and self._too_soon is None:
            self._too_soon = self.loop.call_later(PAUSE_SECONDS, self._later)

    def _later(self) -> None:
        self._too_soon = None
        self.transport.go_on()

    def _time(self) -> None:
        """Sets the deadline of a message that has begun, and of its frame."""
        is_whole = self._frames.between and not self.frames
        if is_whole and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif not is_whole and self._deadline is None:
            self._deadline = self.loop.call_later(self.message_seconds, self._overdue)

    def _overdue(self) -> None:
        reason = f"A message must come within {self.message_seconds:g} s"
        self._fail(POLICY_VIOLATION, reason)

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
