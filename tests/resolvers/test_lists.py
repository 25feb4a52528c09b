"""Lists and pages of executions, live and from the history."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from runcast.core.errors import InvalidInput
from runcast.core.execution.events import Began, CancelRequested, Ended, StageStarted
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.execution.page import Order, OrderField, PageRequest
from runcast.core.live.manager import ExecutionManager
from runcast.resolvers.context import Context
from runcast.resolvers.executions import (
    cancel_execution,
    cancel_executions,
    follow_execution,
    get_execution,
    is_live,
    retry_execution,
    start_execution,
)
from runcast.resolvers.history import list_history
from runcast.resolvers.lists import (
    MAX_LIST,
    ExecutionPage,
    list_executions,
    page_executions,
)
from runcast.resolvers.modes import checked_mode
from runcast.resolvers.server import server_state
from samples import ScriptedEngine

RUNNING = ExecutionFilter(status=frozenset({Status.RUNNING}))


@pytest.fixture
async def forgetful(context: Context, engine: ScriptedEngine) -> AsyncIterator[Context]:
    """The same, but that what has ended is live no more."""
    followers = [context.history]
    async with ExecutionManager(engine, context.clock, retention=0, followers=followers) as manager:
        yield replace(context, manager=manager)


async def started(ctx: Context, pipeline: str = "echo", input: str = "hello") -> str:
    return (await start_execution(ctx, pipeline, input)).execution.id


async def historic(ctx: Context, engine: ScriptedEngine, input: str = "hello") -> Execution:
    """One that has ended, and that only the history still has."""
    id = await started(ctx, input=input)
    await engine.say(Began(id, ctx.clock.now()))
    await engine.say(Ended(id, ctx.clock.now(), Status.COMPLETED, EndReason.FINISHED))
    assert await ctx.history.committed(id)
    ctx.manager.sweep()
    execution = await ctx.history.get(id)
    assert execution is not None and not is_live(ctx, id)
    return execution


def ids(found: ExecutionPage) -> list[str]:
    return [one.id for _, one in found.page.items]


@pytest.mark.parametrize(
    ("limit", "number"), [(0, 0), (1, 1), (3, 3), (4, 3), (MAX_LIST, 3), (None, 3)]
)
async def test_a_list_is_as_long_as_it_may_be(
    context: Context, limit: int | None, number: int
) -> None:
    """The newest ones are in it."""
    newest = [await started(context) for _ in range(3)][::-1]
    assert [one.id for one in list_executions(context, limit=limit)] == newest[:number]


async def test_a_page_has_the_order_that_is_asked_for(
    context: Context, engine: ScriptedEngine
) -> None:
    """Of what is live and, if that is asked for, of what was."""
    first, second = await started(context, "echo"), await started(context, "several")
    for include_history in (False, True):
        for descending in (False, True):
            order = Order(OrderField.PIPELINE_NAME, descending)
            found = await page_executions(context, order=order, include_history=include_history)
            assert ids(found) == ([second, first] if descending else [first, second])
        found = await page_executions(context, include_history=include_history)
        assert ids(found) == [second, first]


async def test_what_still_runs_has_a_duration(context: Context, engine: ScriptedEngine) -> None:
    """In a minute it will have taken longer than what ended as soon as it was started."""
    runs, ended = await started(context), await started(context)
    at = context.manager.get(ended).started_at
    await engine.say(Began(runs, at), Began(ended, at))
    await engine.say(Ended(ended, at, Status.FAILED, EndReason.STAGE_ERROR))
    later = replace(context, clock=Later(context))
    found = await page_executions(later, order=Order(OrderField.DURATION, descending=True))
    assert ids(found) == [runs, ended]


class Later:
    """A clock that is a minute ahead."""

    def __init__(self, ctx: Context) -> None:
        self._clock = ctx.clock

    def now(self) -> int:
        return self._clock.now() + 60_000

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def test_the_history_is_asked_only_if_it_is_asked_for(
    forgetful: Context, engine: ScriptedEngine
) -> None:
    """Then with the same filter, and it counts as what is live does."""
    old = await historic(forgetful, engine, "old")
    other = await historic(forgetful, engine, "other")
    live = await started(forgetful, input="old and live")
    live_only = await page_executions(forgetful)
    assert (ids(live_only), live_only.total) == ([live], 1)
    both = await page_executions(forgetful, include_history=True)
    assert ids(both) == [live, other.id, old.id]
    filtered = await page_executions(forgetful, ExecutionFilter(text="OLD"), include_history=True)
    assert (ids(filtered), filtered.total) == ([live, old.id], 2)
    assert filtered.counts == dict.fromkeys(Status, 0) | {Status.QUEUED: 1, Status.COMPLETED: 1}
    running = await page_executions(forgetful, RUNNING, include_history=True)
    assert (ids(running), running.total, running.counts) == ([], 0, both.counts)
    size_one = PageRequest(first=1)
    page = await page_executions(forgetful, request=size_one, include_history=True)
    assert (ids(page), page.page.has_next) == ([live], True)


async def test_a_page_tells_where_to_follow_it_from(
    context: Context, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From before it was read: what happens meanwhile is told once more, and never missed."""
    await started(context)
    before = context.manager.list_cursor()
    reading = type(context.history).merged_page

    async def slow(*arguments: object, **named: object) -> object:
        found = await reading(*arguments, **named)  # type: ignore[arg-type]
        await started(context)
        return found

    monkeypatch.setattr(type(context.history), "merged_page", slow)
    found = await page_executions(context, include_history=True)
    assert (found.cursor, found.total) == (before, 1)
    assert context.manager.list_cursor() != before


async def test_the_end_of_what_is_history_can_be_followed(
    forgetful: Context, engine: ScriptedEngine
) -> None:
    """A client of a server that was restarted learns it once, and whoever knows it nothing."""
    old = await historic(forgetful, engine)

    async def told(after: str | None) -> list[str]:
        changes = await follow_execution(forgetful, old.id, after)
        return [change.kind async for change in changes if change.execution == old]

    assert await told(None) == ["SNAPSHOT"]
    assert await told("elsewhere:3") == ["RESET"]
    assert await told(str(forgetful.manager.cursor(old))) == []
    with pytest.raises(InvalidInput):
        await told("yesterday")


async def test_what_is_history_can_be_run_again(forgetful: Context, engine: ScriptedEngine) -> None:
    """With the input that it had."""
    old = await historic(forgetful, engine, "once more")
    again = (await retry_execution(forgetful, old.id)).execution
    assert (again.retry_of, again.input) == (old.id, "once more")
    assert await get_execution(forgetful, again.id) == again


async def test_a_reason_for_many_is_the_reason_of_each(context: Context) -> None:
    """It is told with every execution that it has ended."""
    for _ in range(2):
        await started(context)
    done = await cancel_executions(context, EVERYTHING, "enough")
    reasons = [one.execution.cancellation for one in done if one.execution]
    assert [one.reason for one in reasons if one] == ["enough"] * 2


async def test_a_cancel_can_be_forced_in_hindsight(
    context: Context, engine: ScriptedEngine
) -> None:
    """And whoever asks without force a second time is told why not."""
    id = await started(context)
    await engine.say(Began(id, 1), StageStarted(id, 1, 0))
    asked = [await cancel_execution(context, id, force=force) for force in (False, False, True)]
    assert [one.accepted for one in asked] == [True, False, True]
    forced = [one.execution.cancellation for one in asked if one.execution]
    assert [one.forced for one in forced if one] == [False, False, True]


async def test_what_is_being_cancelled_still_runs(context: Context, engine: ScriptedEngine) -> None:
    """It counts as running until it has stopped."""
    id = await started(context)
    await engine.say(Began(id, 1), StageStarted(id, 1, 0), CancelRequested(id, 2))
    assert (server_state(context).running, server_state(context).queued) == (1, 0)
    await engine.say(Ended(id, 3, Status.COMPLETED, EndReason.FINISHED))
    assert server_state(context).running == 0


@pytest.mark.parametrize(
    ("page", "size", "accepted"),
    [
        (1, 1, True),
        (2**31, 100, True),
        (0, 1, False),
        (2**31 + 1, 1, False),
        (1, 0, False),
        (1, 101, False),
    ],
)
async def test_pages_of_the_history_have_bounds(
    context: Context, page: int, size: int, accepted: bool
) -> None:
    """A number beyond them is refused by its name, one at them is not."""
    if accepted:
        found = await list_history(context, page, size)
        assert (found.executions, found.page, found.page_size) == ([], page, size)
    else:
        with pytest.raises(InvalidInput) as refused:
            await list_history(context, page, size)
        assert refused.value.path == (("pageSize",) if page == 1 else ("page",))


async def test_a_start_goes_on_with_all_that_was_asked_for(context: Context) -> None:
    """Labels, time limit and tool stand on the execution."""
    tool = Path(context.environ["PATH"]) / "aider"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    labels = (("team", "a"), ("env", "prod"))
    result = await start_execution(
        context, "echo", " hello ", labels=labels, timeout_ms=5, cli_tool="aider"
    )
    execution = result.execution
    assert (execution.input, execution.labels, result.existing) == ("hello", labels, False)
    options = execution.options
    assert (options.timeout_ms, options.execution_mode, options.cli_tool) == (5, "cli", "aider")


async def test_a_key_is_the_mode_of_who_does_not_choose(context: Context) -> None:
    """A tool is of no use there, and is not asked for."""
    keyed = replace(context, environ={**context.environ, "ANTHROPIC_API_KEY": "k"})
    assert checked_mode(keyed, None, None) == "api"
    assert checked_mode(keyed, "api", "aider") == "api"
    assert checked_mode(context, None, None) == "cli"
    with pytest.raises(InvalidInput, match="aider"):
        checked_mode(context, None, "aider")
