"""What a subscription holds on to while it lives."""

import gc
from types import SimpleNamespace
from typing import Any

from list_reader import change, managing, running
from runcast.core.fairness import LoopBudget
from runcast.schema.executable import ExecutableSchema
from runcast.schema.limits import Limits
from virtual_clock import VirtualClock

PROGRESS = "subscription ($id: ID!) { executionProgress(id: $id) { execution { stages { id } } } }"


def collected() -> int:
    """How many sets of fields graphql-core holds."""
    gc.collect()
    return sum(type(held).__name__ == "CollectedFields" for held in gc.get_objects())


async def test_it_does_not_grow() -> None:
    """After a hundred events it holds no more than after the first one."""
    schema, clock = ExecutableSchema(Limits(), introspection=True), VirtualClock()
    async with managing(clock) as manager:
        context: Any = SimpleNamespace(manager=manager, clock=clock, loop_budget=LoopBudget())
        id = await running(manager)
        results = await schema.subscribe(schema.read(PROGRESS), {"id": id}, context)
        assert (await anext(results)).data
        before = collected()
        for _ in range(100):
            change(manager, id)
            assert (await anext(results)).data
        assert collected() <= before
        await results.aclose()
