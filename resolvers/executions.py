"""Starting, stopping, finding and following executions."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ..core.errors import AlreadyEnded, InvalidInput, NotFound, RuncastError
from ..core.execution.change import Change
from ..core.execution.cursor import Cursor
from ..core.execution.events import ChangeKind
from ..core.execution.filter import EVERYTHING, ExecutionFilter
from ..core.execution.model import Execution, Status
from ..core.execution.page import Order, OrderField, Page, PageRequest, paginate
from ..core.fairness import Stretches
from ..core.live.hub import Taker
from ..core.live.list_reading import ListTaker
from ..core.live.listing import ExecutionsChange
from ..core.live.manager import Started
from ..core.live.request import StartRequest, checked_input
from .context import Context
from .modes import checked_mode

MAX_LIST = 10_000
AT_ONCE = 2000
"""So many executions are searched or sorted in about 4 ms, for which others can wait."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    """A page of a filtered list, how long the list is, and where to follow it from.

    `counts` is the number of executions of each status that match the filter without its own
    conditions on the status: what a row of tabs shows.
    """

    page: Page[Execution]
    total: int
    counts: Mapping[Status, int]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Result of a cancel: the execution as it is now, and the error if it was refused.

    `accepted` is also false where nothing was asked for, in a dry run.
    """

    execution: Execution | None
    accepted: bool
    error: RuncastError | None = None


def list_executions(
    ctx: Context, filter: ExecutionFilter = EVERYTHING, limit: int | None = None
) -> Sequence[Execution]:
    """As `find_executions`, at once; for what does not `takes_long`."""
    _check_limit(limit)
    return ctx.manager.list(filter, limit)


async def find_executions(
    ctx: Context, filter: ExecutionFilter = EVERYTHING, limit: int | None = None
) -> Sequence[Execution]:
    """What runs, waits or has ended within the retention, newest first.

    Raises:
        InvalidInput: the limit is out of bounds.
    """
    if not takes_long(ctx, filter):
        return list_executions(ctx, filter, limit)
    _check_limit(limit)
    live = ctx.manager.list(filter.of_any_constants())
    found = await _in_thread(ctx, partial(filter.matching, live))
    return found[:limit]


def _check_limit(limit: int | None) -> None:
    if limit is not None and not 0 <= limit <= MAX_LIST:
        raise InvalidInput(f"limit must be between 0 and {MAX_LIST}, not {limit}", path=["limit"])


async def page_executions(
    ctx: Context,
    filter: ExecutionFilter = EVERYTHING,
    order: Order | None = None,
    request: PageRequest | None = None,
    *,
    include_history: bool = False,
    whole: bool = True,
) -> ExecutionPage:
    """A page of the list in an order of the caller's choice; START_TIME, newest first, if none.

    Unless `whole`, those that only the history has come without input, values and output.

    Raises:
        InvalidInput: a cursor or a number is off, or the page is too large to be whole.
        Unavailable: the history cannot be read.
    """
    if not include_history:
        paging = _paging(ctx, filter, order, request)
        return await _in_thread(ctx, paging) if takes_long(ctx, filter, order) else paging()
    cursor = ctx.manager.list_cursor()
    found = await ctx.history.merged_page(ctx.manager.list(), filter, order, request, whole=whole)
    return ExecutionPage(found.page, found.total, found.counts, cursor)


def page_live(
    ctx: Context,
    filter: ExecutionFilter = EVERYTHING,
    order: Order | None = None,
    request: PageRequest | None = None,
) -> ExecutionPage:
    """As `page_executions`, without the history, and at once; for what does not `takes_long`.

    Raises:
        InvalidInput: a cursor or a number is off.
    """
    return _paging(ctx, filter, order, request)()


def takes_long(ctx: Context, filter: ExecutionFilter, order: Order | None = None) -> bool:
    """Whether so many executions are to be looked at, or sorted, that others would notice it."""
    sorts = order is not None and order.field is not OrderField.START_TIME
    return (sorts or filter.has_constants) and sum(ctx.manager.counts.values()) > AT_ONCE


def _paging(
    ctx: Context, filter: ExecutionFilter, order: Order | None, request: PageRequest | None
) -> Callable[[], ExecutionPage]:
    """Finds a page of the executions as they are now; whenever, and in whichever thread."""
    searches = filter.has_constants
    return partial(
        _page,
        ctx.manager.list(EVERYTHING if searches else filter),
        None if searches else ctx.manager.counts,
        filter,
        order or Order(),
        request or PageRequest(),
        ctx.clock.now(),
        ctx.manager.list_cursor(),
    )


def _page(
    executions: Sequence[Execution],
    counts: Mapping[Status, int] | None,
    filter: ExecutionFilter,
    order: Order,
    request: PageRequest,
    now: int,
    cursor: Cursor,
) -> ExecutionPage:
    """`counts` are None if the executions are to be searched: they are all that there are then."""
    if counts is None:
        found = filter.matching(executions)
        executions = [one for one in found if filter.admits(one.status)]
        counts = Counter(one.status for one in found)
    page = paginate(executions, order, request, now)
    shown = {status: counts[status] for status in Status}
    return ExecutionPage(page, len(executions), shown, cursor)


async def _in_thread(ctx: Context, work: Callable[[], Result]) -> Result:
    """The executions are values: what has changed meanwhile is in others."""
    async with ctx.searching:
        return await asyncio.to_thread(work)


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
    taker: Taker | None = None,
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
    ctx: Context, execution_id: str, after: str | None = None, taker: Taker | None = None
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
    ctx: Context, execution: Execution, after: str | None = None, taker: Taker | None = None
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
    taker: ListTaker | None = None,
) -> AsyncGenerator[ExecutionsChange, None]:
    """See `ExecutionManager.watch_list`."""
    return ctx.manager.watch_list(filter, after, taker)
