"""Starting, stopping, finding and following executions."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from ..core.errors import AlreadyEnded, NotFound, RuncastError
from ..core.execution.change import Change
from ..core.execution.cursor import Cursor
from ..core.execution.events import ChangeKind
from ..core.execution.filter import EVERYTHING, ExecutionFilter
from ..core.execution.model import Execution
from ..core.fairness import Stretches
from ..core.live.deliveries import Taker
from ..core.live.listing import ExecutionsChange
from ..core.live.manager import Started
from ..core.live.request import StartRequest, checked_input
from .context import Context
from .lists import find_executions
from .modes import checked_mode


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Result of a cancel: the execution as it is now, and the error if it was refused.

    `accepted` is also false where nothing was asked for, in a dry run.
    """

    execution: Execution | None
    accepted: bool
    error: RuncastError | None = None


def is_live(ctx: Context, execution_id: str) -> bool:
    """Whether the execution is live, and not only history."""
    try:
        ctx.manager.get(execution_id)
    except NotFound:
        return False
    return True


async def get_execution(ctx: Context, execution_id: str) -> Execution:
    """An execution that is live, or that the history still has.

    Raises:
        NotFound: there is none of that id.
        Unavailable: it is not live, and the history cannot be read.
    """
    if is_live(ctx, execution_id):
        return ctx.manager.get(execution_id)
    execution = await ctx.history.get(execution_id)
    if execution is None:
        raise NotFound("Execution not found", path=["id"])
    return execution


async def start_execution(
    ctx: Context,
    pipeline_id: str,
    input: object,
    *,
    labels: Sequence[tuple[str, str]] = (),
    timeout_ms: int | None = None,
    execution_mode: str | None = None,
    cli_tool: str | None = None,
    idempotency_key: str | None = None,
) -> Started:
    """A new execution, or the one that the same idempotency key has started before.

    Raises:
        NotFound: no such pipeline; checked before anything else.
        InvalidInput, Conflict, CapacityReached, Unavailable: nothing was started.
    """
    pipeline = ctx.pipelines.get(pipeline_id)
    # Before the mode: section 2.3 of the REST contract says which of two errors is reported.
    text = checked_input(input)
    request = StartRequest.checked(
        pipeline.id,
        text,
        labels=labels,
        timeout_ms=timeout_ms,
        execution_mode=checked_mode(ctx, execution_mode, cli_tool),
        mode_is_default=execution_mode is None,
        cli_tool=cli_tool,
        idempotency_key=idempotency_key,
    )
    return await ctx.manager.start(request, pipeline)


async def retry_execution(
    ctx: Context,
    execution_id: str,
    from_stage: str | None = None,
    idempotency_key: str | None = None,
) -> Started:
    """A new execution of the same pipeline, as it is defined now, with the same input.

    With an idempotency key, it is the one that the same retry has started before, if there is one.

    Raises:
        NotFound: no such execution, its pipeline is gone, or it has no such stage.
        InvalidInput, Conflict, CapacityReached, Unavailable: nothing was started.
    """
    old = await get_execution(ctx, execution_id)
    pipeline = ctx.pipelines.get(old.pipeline_id)
    return await ctx.manager.retry(old, pipeline, from_stage, idempotency_key)


async def cancel_execution(
    ctx: Context, execution_id: str, reason: str | None = None, *, force: bool = False
) -> Cancelled:
    """Stops what runs; what cannot be cancelled is an answer and not an exception."""
    try:
        return Cancelled(await ctx.manager.cancel(execution_id, reason, forced=force), True)
    except NotFound as error:
        return await _not_live(ctx, execution_id, error)
    except RuncastError as error:
        return Cancelled(ctx.manager.get(execution_id), False, error)


async def _not_live(ctx: Context, execution_id: str, error: NotFound) -> Cancelled:
    try:
        execution = await get_execution(ctx, execution_id)
    except RuncastError:
        return Cancelled(None, False, error)
    ended = AlreadyEnded(f"the execution has already ended as {execution.status}", path=["id"])
    return Cancelled(execution, False, ended)


async def cancel_executions(
    ctx: Context, filter: ExecutionFilter, reason: str | None = None, *, dry_run: bool = False
) -> list[Cancelled]:
    """Cancels all that match the filter and have not ended; with `dry_run` only returns them."""
    found = [one for one in await find_executions(ctx, filter) if not one.status.terminal]
    if dry_run:
        return [Cancelled(one, False) for one in found]
    cancelled, stretches = [], Stretches()
    for one in found:
        await stretches.pause()
        cancelled.append(await cancel_execution(ctx, one.id, reason))
    return cancelled


def watch_execution(
    ctx: Context,
    execution_id: str,
    after: str | None = None,
    *,
    limit: int | None = None,
    taker: Taker[Change] | None = None,
) -> AsyncGenerator[Change, None]:
    """See `ExecutionManager.watch`."""
    return ctx.manager.watch(execution_id, after, limit=limit, taker=taker)


async def check_execution(ctx: Context, execution_id: str, after: str | None = None) -> None:
    """
    Raises:
        NotFound, InvalidInput, Unavailable: as from `follow_execution`.
    """
    await get_execution(ctx, execution_id)
    check_cursor(after)


def check_cursor(after: str | None) -> None:
    """
    Raises:
        InvalidInput: it is no cursor.
    """
    if after is not None:
        Cursor.parse(after)


async def follow_execution(
    ctx: Context, execution_id: str, after: str | None = None, taker: Taker[Change] | None = None
) -> AsyncGenerator[Change, None]:
    """As `watch_execution`, and also of what only the history has: one message, its end.

    After a restart of the server, a client so receives the end of what it followed.

    Raises:
        NotFound: there is none of that id.
        InvalidInput: `after` is not a cursor.
        Unavailable: it is not live, and the history cannot be read.
    """
    return follow(ctx, await get_execution(ctx, execution_id), after, taker)


def follow(
    ctx: Context, execution: Execution, after: str | None = None, taker: Taker[Change] | None = None
) -> AsyncGenerator[Change, None]:
    """As `follow_execution`, of an execution that was found already.

    Raises:
        InvalidInput: `after` is not a cursor.
    """
    if is_live(ctx, execution.id):
        return watch_execution(ctx, execution.id, after, taker=taker)
    return _the_end(ctx, execution, None if after is None else Cursor.parse(after))


async def _the_end(
    ctx: Context, execution: Execution, after: Cursor | None
) -> AsyncGenerator[Change, None]:
    if after != ctx.manager.cursor(execution):
        kind = ChangeKind.SNAPSHOT if after is None else ChangeKind.RESET
        yield Change(kind, execution, ctx.clock.now())


def watch_executions(
    ctx: Context,
    filter: ExecutionFilter = EVERYTHING,
    after: str | None = None,
    taker: Taker[ExecutionsChange] | None = None,
) -> AsyncGenerator[ExecutionsChange, None]:
    """See `ExecutionManager.watch_list`."""
    return ctx.manager.watch_list(filter, after, taker)
