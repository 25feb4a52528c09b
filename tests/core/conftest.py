"""What the tests of the core can ask for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands still until the test moves it."""
    return VirtualClock()


@pytest.fixture
async def leaves_no_task(anyio_backend: str) -> AsyncIterator[None]:
    """Fails a test after which a task that it started is still there."""
    yield
    left = [task for task in asyncio.all_tasks() if not _is_of_the_test_runner(task)]
    assert not left, f"these tasks were left: {left}"


def _is_of_the_test_runner(task: "asyncio.Task[object]") -> bool:
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")
