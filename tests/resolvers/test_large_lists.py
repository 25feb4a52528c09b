"""Many executions are searched and sorted by a thread, with the same result."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from runcast.core.errors import InvalidInput
from runcast.core.execution.events import Began, Ended
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.execution.page import Order, OrderField, PageRequest
from runcast.resolvers import lists
from runcast.resolvers.context import Context
from runcast.resolvers.executions import cancel_executions, start_execution
from runcast.resolvers.lists import (
    ExecutionPage,
    find_executions,
    list_executions,
    page_executions,
    page_live,
)
from samples import ScriptedEngine
from virtual_clock import VirtualClock

FILTERS = (
    EVERYTHING,
    ExecutionFilter(text="3"),
    ExecutionFilter(text="3", status=frozenset({Status.RUNNING})),
    ExecutionFilter(not_status=frozenset({Status.QUEUED})),
    ExecutionFilter(pipeline_id=frozenset({"none"})),
)
ORDERS = [Order(field, descending) for field in OrderField for descending in (True, False)]


@pytest.fixture
async def context(context: Context, engine: ScriptedEngine) -> Context:
    """With executions of several statuses, at one moment: durations do not grow meanwhile."""
    clock = VirtualClock()
    for number in range(14):
        id = (await start_execution(context, "echo", str(number))).execution.id
        if number % 3:
            await engine.say(Began(id, clock.now() - number))
        if number % 3 == 2:
            await engine.say(Ended(id, clock.now(), Status.FAILED, EndReason.STAGE_ERROR))
    return replace(context, clock=clock)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few executions are many."""
    monkeypatch.setattr(lists, "AT_ONCE", 3)


@pytest.mark.parametrize("filter", FILTERS)
async def test_the_same_list(context: Context, many: None, filter: ExecutionFilter) -> None:
    """Whole, and the beginning of it."""
    for limit in (None, 0, 2):
        expected = list_executions(context, filter, limit)
        assert list(await find_executions(context, filter, limit)) == list(expected)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("order", ORDERS)
async def test_the_same_page(
    context: Context, many: None, filter: ExecutionFilter, order: Order
) -> None:
    """The first and the next one, with their counts."""
    first = page_live(context, filter, order, PageRequest(first=3))
    assert seen(await page_executions(context, filter, order, PageRequest(first=3))) == seen(first)
    if first.page.items:
        request = PageRequest(first=3, after=first.page.items[-1][0])
        expected = page_live(context, filter, order, request)
        assert seen(await page_executions(context, filter, order, request)) == seen(expected)


def seen(found: ExecutionPage) -> object:
    """All but the place from which to follow the list."""
    return found.page, found.total, found.counts


async def test_others_go_on_meanwhile(
    context: Context, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks at each execution is not done by the event loop."""
    threads = []
    matching = ExecutionFilter.matching

    def noting(filter: ExecutionFilter, found: Sequence[Execution]) -> Sequence[Execution]:
        if filter.has_constants:
            threads.append(threading.current_thread())
        return matching(filter, found)

    monkeypatch.setattr(ExecutionFilter, "matching", noting)
    search = ExecutionFilter(text="3")
    await find_executions(context, search)
    await page_executions(context, search)
    await cancel_executions(context, search, dry_run=True)
    assert len(threads) == 3
    assert threading.main_thread() not in threads


async def test_what_is_wrong_is_refused(context: Context, many: None) -> None:
    """In the same words."""
    with pytest.raises(InvalidInput, match="limit must be"):
        await find_executions(context, ExecutionFilter(text="3"), -1)
    with pytest.raises(InvalidInput, match="not a cursor"):
        await page_executions(context, ExecutionFilter(text="3"), None, PageRequest(after="?"))
