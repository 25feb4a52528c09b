"""`/api/executions/:id/events`: an execution as server-sent events.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html. A browser's EventSource
connects again when the stream has ended, with the id of the last event: close it on `end`.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import Response

from ..core.errors import NotFound, Stopping
from ..core.execution.change import Change
from ..core.execution.events import ChangeKind
from ..core.execution.log import LogPiece, LogStream
from ..core.execution.model import Execution
from ..core.json_value import dumps
from ..resolvers.context import Context
from ..resolvers.executions import follow, get_execution
from .answers import encoded
from .live import LiveResponse
from .shapes import list_item, result, stage_progress

HEARTBEAT = b": still here\n\n"

EVENT_WORDS = {
    ChangeKind.SNAPSHOT: "snapshot",
    ChangeKind.STATUS_CHANGED: "status",
    ChangeKind.STAGE_CHANGED: "stage",
    ChangeKind.OUTPUT: "output",
    ChangeKind.RESET: "reset",
}


async def stream_execution(ctx: Context, request: Request) -> Response:
    """Every change from now on, or from the one that the client has seen last; of what only the
    history has, its end.

    Raises:
        NotFound: no such execution.
        Unavailable: it is not live, and the history cannot be read.
        InvalidInput: `Last-Event-ID` or `after` is not the id of an event.
    """
    now = await get_execution(ctx, request.path_params["id"])
    after = request.headers.get("last-event-id") or request.query_params.get("after") or None
    changes = follow(ctx, now, after)
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    events = _Events(ctx, now)
    return LiveResponse(events.of(changes), HEARTBEAT, ctx.clock, "text/event-stream")


class _Events:
    """Spells each change as an event; `end` repeats the state of the last one."""

    def __init__(self, ctx: Context, now: Execution) -> None:
        self._ctx = ctx
        self._latest = now

    async def of(self, changes: AsyncGenerator[Change, None]) -> AsyncGenerator[bytes, None]:
        # NotFound: it has left since the client asked; what was known of it is sent.
        with suppress(NotFound, Stopping):
            async with aclosing(changes):
                async for change in changes:
                    self._latest = change.execution
                    yield await self._message(change)
        if self._latest.status.terminal:
            yield await self._end()

    async def _message(self, change: Change) -> bytes:
        data = _state(change.execution, change.at)
        if change.kind is ChangeKind.RESET and change.missed is not None:
            data["missedEvents"] = change.missed
        if (index := change.stage) is not None:
            if change.piece is not None:
                stage = change.execution.stages[index]
                return self._event(*_of_piece(change, change.piece, stage.id, data))
            data["stage"] = await encoded(
                self._ctx, change.execution, lambda now: stage_progress(now.stages[index])
            )
        return self._event(EVENT_WORDS[change.kind], data)

    async def _end(self) -> bytes:
        ended = self._latest
        data = _state(ended, ended.ended_at or ended.started_at)
        return self._event("end", data | {"result": await encoded(self._ctx, ended, result)})

    def _event(self, word: str, data: dict[str, object]) -> bytes:
        cursor = self._ctx.manager.cursor(self._latest)
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (
            str(cursor).encode(),
            word.encode(),
            dumps(data),
        )


def _of_piece(
    change: Change, piece: LogPiece, stage_id: str, data: dict[str, object]
) -> tuple[str, dict[str, object]]:
    """What is new on stdout is an `output` event, all else a `log` event."""
    said = {"stageId": stage_id, "stream": piece.stream, "text": piece.text}
    if piece.stream is LogStream.STDOUT:
        return "output", data | said | {"offset": change.output_offset, "logOffset": piece.offset}
    return "log", data | said | {"logOffset": piece.offset}


def _state(execution: Execution, at: int) -> dict[str, object]:
    return {**list_item(execution), "sequence": execution.sequence, "at": at}
