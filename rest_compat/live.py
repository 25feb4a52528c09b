"""Responses that go on for as long as there is something to send."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..core.clock import Clock
from .client import first_of, gone

HEARTBEAT_SECONDS = 12.0


class LiveResponse(Response):
    """Sends each chunk as it comes, and a heartbeat every 12 s. When the client goes, it ends.

    The heartbeat keeps proxies from closing a quiet connection.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        heartbeat: bytes,
        clock: Clock,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        unbuffered = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=unbuffered | dict(headers or {}), media_type=media_type)
        del self.headers["content-length"]
        self._chunks = chunks
        self._heartbeat = heartbeat
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        with suppress(ClientDisconnect):
            await first_of(self._send_chunks(send), self._beat(send), gone(receive))
            await send({"type": "http.response.body", "body": b""})

    async def _send_chunks(self, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                await _write(send, chunk)

    async def _beat(self, send: Send) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            await _write(send, self._heartbeat)


async def _write(send: Send, chunk: bytes) -> None:
    try:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except RuntimeError:
        # uvloop's word for a connection that has gone, unnoticed where reading was paused
        raise ClientDisconnect from None
