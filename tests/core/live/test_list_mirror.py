"""A mirror of the list, built from what its reader is told."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from list_reader import FAILURE, PIPELINE, RETENTION, managing, reading, running, settled
from patience import turns
from runcast.core.errors import IllegalMove
from runcast.core.execution.events import (
    Began,
    CancelRequested,
    Ended,
    Event,
    StageRetrying,
    StageStarted,
)
from runcast.core.execution.filter import ExecutionFilter
from runcast.core.execution.model import EndReason, Status
from runcast.core.live import feed
from runcast.core.live.manager import ExecutionManager
from runcast.core.rate_limit import PAUSE_SECONDS
from samples import a_request, said
from virtual_clock import VirtualClock

FILTERS = st.builds(
    ExecutionFilter,
    status=st.none() | st.frozensets(st.sampled_from(Status), max_size=3),
    not_status=st.none() | st.frozensets(st.sampled_from(Status), max_size=2),
    text=st.sampled_from([None, "a", "b"]),
)
NUMBERS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.sampled_from(["a", "b"])),
        st.tuples(st.sampled_from(["begin", "change", "say", "end", "cancel"]), NUMBERS),
        st.tuples(st.just("read"), st.integers(1, 3)),
        st.tuples(st.just("cut"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([PAUSE_SECONDS / 8, PAUSE_SECONDS, RETENTION])),
    ),
    min_size=20,
    max_size=60,
)
EVENTS: dict[str, Callable[[str], tuple[Event, ...]]] = {
    "begin": lambda id: (Began(id, 1), StageStarted(id, 1, 0)),
    "change": lambda id: (StageRetrying(id, 1, 0, FAILURE, 2000),),
    "say": lambda id: (said(id, 1, 0, "text"),),
    "end": lambda id: (Ended(id, 1, Status.COMPLETED, EndReason.FINISHED),),
    "cancel": lambda id: (CancelRequested(id, 1),),
}


async def follow(filter: ExecutionFilter, steps: list[tuple[str, Any]]) -> None:
    """Lets things happen to executions and to a reader; in the end its mirror must be right.

    So must be that of another one, which reads all the time: they follow the same list.
    """
    clock = VirtualClock()
    async with (
        managing(clock) as manager,
        reading(manager, filter) as reader,
        reading(manager, filter) as steady,
    ):
        for _ in range(3):
            await running(manager)
        for word, value in steps:
            if word in EVENTS:
                happen(manager, EVENTS[word], value)
            elif word == "start":
                await manager.start(a_request(value), PIPELINE)
            elif word == "read":
                await reader.read(value)
            elif word == "cut":
                await reader.read(value)
                await reader.resume()
            else:
                clock.advance(value)
                await turns()
            await steady.read()
        for one in (reader, steady):
            await settled(one, clock, 60)
            assert one.is_right()


def happen(
    manager: ExecutionManager, events: Callable[[str], tuple[Event, ...]], number: int
) -> None:
    """To one of the executions, if it can."""
    live = manager.list()
    if live:
        with suppress(IllegalMove):
            for event in events(live[number % len(live)].id):
                manager.apply(event)


@settings(max_examples=80, deadline=None)
@given(FILTERS, STEPS)
def test_a_mirror_becomes_equal_to_the_query(
    filter: ExecutionFilter, steps: list[tuple[str, Any]]
) -> None:
    """Whatever happened, whatever is asked for, however often the reader was cut off.

    Throttled so much that most of it waits.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "BURST", 2)
        patch.setattr(feed, "MESSAGES_PER_SECOND", 10)
        asyncio.run(follow(filter, steps))
