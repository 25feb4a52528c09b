"""Lists and pages of executions: searched, sorted, and merged with the history."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ..core.errors import InvalidInput
from ..core.execution.cursor import Cursor
from ..core.execution.filter import EVERYTHING, ExecutionFilter
from ..core.execution.model import Execution, Status
from ..core.execution.page import Order, OrderField, Page, PageRequest, paginate
from .context import Context

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
        executions, counts = filter.counted(executions)
    page = paginate(executions, order, request, now)
    shown = {status: counts[status] for status in Status}
    return ExecutionPage(page, len(executions), shown, cursor)


async def _in_thread(ctx: Context, work: Callable[[], Result]) -> Result:
    """The executions are values: what has changed meanwhile is in others."""
    async with ctx.searching:
        return await asyncio.to_thread(work)
