"""`/api/executions/:id/stages/:stage/log` and `…/value`: what a stage says and makes, as it is."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from ..core.errors import InvalidInput, NotFound, Stopping
from ..core.execution.log import LogStream
from ..core.execution.model import Execution, StageRun
from ..core.execution.stored import StoredValue
from ..resolvers.context import Context
from ..resolvers.executions import get_execution, is_live
from ..resolvers.logs import (
    checked_attempt,
    find_stage,
    log_bytes,
    log_size,
    read_log,
    value_bytes,
    value_size,
)
from .live import LiveResponse
from .ranged import ranged

STREAMS = {stream.value.lower(): stream for stream in LogStream}
READ_CHARACTERS = 262_144
# What stages write is theirs: no browser takes it for a page of this server.
HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


async def show_log(ctx: Context, request: Request) -> Response:
    """The log of an attempt as plain text.

    `attempt` (the latest if left out), `stream` (`stdout`, `stderr`, `system`; may be repeated),
    `follow=true` keeps the answer open until the attempt has ended, `download=true`; `Range`.

    Raises:
        NotFound: there is no such execution, stage or attempt.
        InvalidInput: a parameter is off.
    """
    execution = await get_execution(ctx, request.path_params["id"])
    stage = find_stage(execution, request.path_params["stage"])
    attempt = checked_attempt(stage, _number(request))
    streams = _streams(request)
    headers = HEADERS | _disposition(request, f"{stage.id}.{attempt}.log")
    if _says_true(request, "follow") and is_live(ctx, execution.id) and request.method == "GET":
        text = _followed(ctx, execution.id, stage.id, attempt, streams)
        return LiveResponse(text, b"", ctx.clock, "text/plain; charset=utf-8", headers)
    size = await log_size(ctx, execution.id, stage, attempt, streams)

    def read(start: int, end: int) -> Iterator[bytes]:
        return log_bytes(ctx, execution.id, stage, attempt, (start, end), streams)

    return ranged(ctx.files, request, size, read, "text/plain; charset=utf-8", headers)


async def show_value(ctx: Context, request: Request) -> Response:
    """The value of a stage as it is: text or JSON, of any size; `download=true`; `Range`.

    Raises:
        NotFound: there is no such execution or stage, or it has no value.
    """
    execution = await get_execution(ctx, request.path_params["id"])
    stage = find_stage(execution, request.path_params["stage"])
    if stage.value is None:
        raise NotFound("The stage has no value", path=["stage"])
    ending, media_type = _kind(stage)
    headers = HEADERS | _disposition(request, f"{stage.id}{ending}")

    def read(start: int, end: int) -> Iterator[bytes]:
        return value_bytes(ctx, stage.value, start, end)

    return ranged(ctx.files, request, value_size(stage.value), read, media_type, headers)


def _kind(stage: StageRun) -> tuple[str, str]:
    value = stage.value
    is_json = value.is_json if isinstance(value, StoredValue) else not isinstance(value, str)
    if is_json:
        return ".json", "application/json"
    return ".txt", "text/plain; charset=utf-8"


async def _followed(
    ctx: Context, execution_id: str, stage_id: str, attempt: int, streams: frozenset[LogStream]
) -> AsyncGenerator[bytes, None]:
    """What is there, and what comes until the attempt has ended: each time something changes, the
    log is read on from where it was read to."""
    offset = 0
    with suppress(NotFound, Stopping):
        async with aclosing(ctx.manager.watch(execution_id, limit=1)) as changes:
            async for change in changes:
                stage = find_stage(change.execution, stage_id)
                is_over = _is_over(change.execution, stage, attempt)
                while True:
                    page = await read_log(
                        ctx, execution_id, stage, attempt, offset, READ_CHARACTERS, streams
                    )
                    offset = page.next_offset
                    if text := "".join(piece.text for piece in page.pieces):
                        yield text.encode()
                    if offset >= page.total:
                        break
                if is_over:
                    return


def _is_over(execution: Execution, stage: StageRun, attempt: int) -> bool:
    """Whether nothing more comes of an attempt."""
    latest = stage.attempts[attempt - 1] if attempt <= len(stage.attempts) else None
    return execution.status.terminal or (latest is not None and latest.ended_at is not None)


def _number(request: Request) -> int | None:
    text = request.query_params.get("attempt")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(f"attempt must be a whole number from 1 on, not {text!r}")
    return int(text)


def _streams(request: Request) -> frozenset[LogStream]:
    words = request.query_params.getlist("stream") or list(STREAMS)
    for word in words:
        if word not in STREAMS:
            raise InvalidInput(f"unknown stream {word!r}: use one of {', '.join(STREAMS)}")
    return frozenset(STREAMS[word] for word in words)


def _says_true(request: Request, name: str) -> bool:
    word = request.query_params.get(name, "false")
    if word not in ("true", "false"):
        raise InvalidInput(f"{name} must be true or false, not {word!r}")
    return word == "true"


def _disposition(request: Request, filename: str) -> dict[str, str]:
    if not _says_true(request, "download"):
        return {}
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(filename)}"}
