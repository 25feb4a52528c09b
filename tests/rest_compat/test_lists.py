"""Lists that are put together from bytes that are there."""

import asyncio
import json
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Status
from runcast.core.fairness import LoopBudget
from runcast.core.live.manager import ExecutionManager
from runcast.rest_compat.lists import executions_list
from runcast.rest_compat.shapes import list_item
from samples import ScriptedEngine, an_execution, put
from virtual_clock import VirtualClock

RUNNING = ExecutionFilter(status=frozenset({Status.RUNNING}))


@pytest.fixture
def ctx() -> Any:
    """A context with thirty executions."""
    manager = ExecutionManager(ScriptedEngine(), VirtualClock())
    for number in range(30):
        put(manager._store, an_execution(f"exec_{number}"))
    return SimpleNamespace(manager=manager, loop_budget=manager.loop_budget)


async def test_a_list_is_what_the_executions_are(ctx: Any) -> None:
    """At first, again, and after a change, with a filter and without."""
    for status in (Status.QUEUED, Status.RUNNING, Status.FAILED):
        put(ctx.manager._store, replace(ctx.manager.get("exec_3"), status=status))
        for filter in (EVERYTHING, RUNNING, EVERYTHING):
            items = [list_item(one) for one in ctx.manager.list(filter)]
            assert json.loads(await executions_list(ctx, filter)) == {"executions": items}
            counted = json.loads(await executions_list(ctx, filter, counted=True))
            assert counted == {"executions": items, "count": len(items)}


async def test_a_list_that_is_known_is_not_made_again(ctx: Any) -> None:
    """Of one that has changed only the item that has."""
    first = await executions_list(ctx, EVERYTHING)
    assert await executions_list(ctx, EVERYTHING) is first
    ctx.loop_budget = Counted()
    put(ctx.manager._store, replace(ctx.manager.get("exec_3"), current_stage=2))
    assert await executions_list(ctx, EVERYTHING) != first
    assert ctx.loop_budget.pieces == 1


async def test_a_list_is_made_in_pieces(ctx: Any) -> None:
    """Of one moment: what changes meanwhile is in the next."""
    ctx.loop_budget = LoopBudget(count().__next__, seconds=4)
    making = asyncio.create_task(executions_list(ctx, EVERYTHING))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not making.done()
    put(ctx.manager._store, replace(ctx.manager.get("exec_29"), current_stage=2))
    assert b'"currentStage":2' not in await making
    assert b'"currentStage":2' in await executions_list(ctx, EVERYTHING)


class Counted:
    """Counts the pieces."""

    pieces = 0

    async def checkpoint(self) -> None:
        self.pieces += 1
