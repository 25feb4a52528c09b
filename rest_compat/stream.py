"""`/api/executions/:id/events`: an execution as server-sent events.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html. A browser's EventSource
connects again when the stream has ended, with the id of the last event: close it on `end`.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..core.errors import NotFound
from ..core.events import ChangeKind
from ..core.hub import Change
from ..core.model import Execution
from ..resolvers.context import Context
from ..resolvers.executions import watch_execution
from .shapes import list_item, result, stage_progress

HEARTBEAT_SECONDS = 12.0
HEARTBEAT = b": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

EVENT_WORDS = {
    ChangeKind.SNAPSHOT: "snapshot",
    ChangeKind.STATUS_CHANGED: "status",
    ChangeKind.STAGE_CHANGED: "stage",
    ChangeKind.OUTPUT: "output",
    ChangeKind.RESET: "reset",
}


async def stream_execution(ctx: Context, request: Request) -> Response:
    """Every change from now on, or from the one that the client has seen last.

    Raises:
        NotFound: no such execution.
        InvalidInput: `Last-Event-ID` or `after` is not the id of an event.
    """
    id = request.path_params["id"]
    after = request.headers.get("last-event-id") or request.query_params.get("after") or None
    changes = watch_execution(ctx, id, after)
    now = ctx.manager.get(id)
    if request.method == "HEAD":
        return Response(headers=HEADERS, media_type="text/event-stream")
    return EventStream(ctx, now, changes)


class EventStream(Response):
    """Sends each change as it comes. When the client goes, the watch ends, and nothing else."""

    media_type = "text/event-stream"

    def __init__(self, ctx: Context, now: Execution, changes: AsyncGenerator[Change, None]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._ctx = ctx
        self._latest = now
        self._changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await _first_of(self._tell(send), self._beat(send), _gone(receive))
        await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send) -> None:
        # NotFound: it has left since the client asked; what was known of it is told.
        with suppress(NotFound):
            async with aclosing(self._changes) as changes:
                async for change in changes:
                    self._latest = change.execution
                    await _write(send, self._message(change))
        if self._latest.status.terminal:
            await _write(send, self._end())

    async def _beat(self, send: Send) -> None:
        """Keeps proxies from taking silence for death."""
        while True:
            await self._ctx.clock.sleep(HEARTBEAT_SECONDS)
            await _write(send, HEARTBEAT)

    def _message(self, change: Change) -> bytes:
        data = _state(change.execution, change.at)
        if change.kind is ChangeKind.RESET and change.missed is not None:
            data["missedEvents"] = change.missed
        if change.stage is not None:
            stage = change.execution.stages[change.stage]
            if change.piece is None:
                data["stage"] = stage_progress(stage)
            else:
                data |= {
                    "stageId": stage.id,
                    "offset": change.piece.offset,
                    "text": change.piece.text,
                }
        return self._event(EVENT_WORDS[change.kind], data)

    def _end(self) -> bytes:
        ended = self._latest
        data = _state(ended, ended.ended_at or ended.started_at)
        return self._event("end", data | {"result": result(ended)})

    def _event(self, word: str, data: dict[str, object]) -> bytes:
        cursor = self._ctx.manager.cursor(self._latest)
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (
            str(cursor).encode(),
            word.encode(),
            orjson.dumps(data),
        )


def _state(execution: Execution, at: int) -> dict[str, object]:
    return {**list_item(execution), "sequence": execution.sequence, "at": at}


async def _write(send: Send, message: bytes) -> None:
    await send({"type": "http.response.body", "body": message, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them has ended; the others are ended then, and the error of one is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
