"""A filtered list that is followed."""

import asyncio

import pytest
from hypothesis import given, strategies as st
from patience import turns
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Execution, Status
from runcast.core.live.listing import ListChange, ListHub, ListWatcher, Mirror
from samples import an_execution

pytestmark = pytest.mark.usefixtures("leaves_no_task")

RUNNING_ONLY = ExecutionFilter(status=frozenset({Status.RUNNING}), text="exec_")


def at(status: Status, id: str = "exec_1", sequence: int = 2) -> Execution:
    return an_execution(id, status=status, sequence=sequence)


def push(watcher: ListWatcher, execution: Execution, version: int, **how: bool) -> None:
    """A change of status of an execution that is present, unless `how` says something else."""
    watcher.push(execution, version, **({"present": True, "urgent": True} | how))


async def following(watcher: ListWatcher, number: int) -> list[str]:
    """The ids of the next so many."""
    dirty = [await watcher.next() for _ in range(number)]
    return [one.execution.id for one in dirty if one is not None]


async def test_a_slow_reader_gets_the_latest_state_once() -> None:
    """The one that has been dirty for the longest time comes first."""
    watcher = ListWatcher()
    push(watcher, at(Status.QUEUED, "exec_1"), 5)
    push(watcher, at(Status.QUEUED, "exec_2"), 6)
    push(watcher, at(Status.RUNNING, "exec_1", 3), 7)
    assert watcher.seen(7) == 4
    first = await watcher.next()
    assert first is not None
    assert (first.execution.id, first.execution.status) == ("exec_1", Status.RUNNING)
    assert watcher.seen(7) == 5 and not watcher.idle
    second = await watcher.next()
    assert second is not None and second.execution.id == "exec_2"
    assert watcher.seen(7) == 7 and watcher.idle


async def test_what_is_urgent_comes_first() -> None:
    """Also when it became so later; among its like, what has been waiting comes first."""
    watcher = ListWatcher()
    for version, id in enumerate(("exec_1", "exec_2", "exec_3"), start=5):
        push(watcher, at(Status.RUNNING, id), version, urgent=False)
    push(watcher, at(Status.QUEUED, "exec_4"), 8)
    push(watcher, at(Status.FAILED, "exec_3", 3), 9)
    push(watcher, at(Status.RUNNING, "exec_4", 3), 10, urgent=False)
    assert await following(watcher, 4) == ["exec_4", "exec_3", "exec_1", "exec_2"]
    assert watcher.idle


async def test_what_was_seen_ends_before_the_oldest_that_was_not() -> None:
    """Whatever has gone before it."""
    watcher = ListWatcher()
    push(watcher, at(Status.RUNNING, "exec_1"), 5, urgent=False)
    push(watcher, at(Status.QUEUED, "exec_2"), 6)
    assert await following(watcher, 1) == ["exec_2"]
    assert watcher.seen(6) == 4
    assert await following(watcher, 1) == ["exec_1"]
    assert watcher.seen(6) == 6


async def test_what_came_and_went_unread_costs_nothing() -> None:
    """A stalled reader of the list does not keep all that ever ran."""
    watcher = ListWatcher()
    for number in range(50):
        id = f"exec_{number}"
        push(watcher, at(Status.QUEUED, id, sequence=1), 2 * number)
        push(watcher, at(Status.FAILED, id), 2 * number + 1, present=False)
    assert (len(watcher._dirty), len(watcher._urgent)) == (0, 0)
    known = at(Status.RUNNING, "exec_known")
    push(watcher, known, 100)
    push(watcher, known, 101, present=False)
    dirty = await watcher.next()
    assert dirty is not None and (dirty.execution.id, dirty.present) == ("exec_known", False)


async def test_closing_ends_watchers_once_they_have_read_what_they_have() -> None:
    """Those who wait, those with something dirty, and those who come later."""
    hub = ListHub()
    with hub.watching() as full, hub.watching() as waiting:
        hub.publish(at(Status.QUEUED), 1, present=True, urgent=True)
        assert await waiting.next() is not None
        task = asyncio.create_task(waiting.next())
        await turns()
        assert not task.done()
        hub.close()
        assert await task is None
        assert await full.next() is not None
        assert await full.next() is None
    with hub.watching() as late:
        assert await late.next() is None
    assert len(hub) == 0


def test_a_mirror_says_what_is_new_to_its_reader() -> None:
    """In, changed, out, and nothing for what was never in."""
    mirror = Mirror(RUNNING_ONLY)
    assert mirror.take(at(Status.QUEUED), present=True) is None
    assert mirror.take(at(Status.RUNNING), present=True) is ListChange.ENTERED
    assert mirror.take(at(Status.RUNNING), present=True) is ListChange.UPDATED
    assert mirror.take(at(Status.COMPLETED), present=True) is ListChange.LEFT
    assert mirror.take(at(Status.COMPLETED), present=False) is None
    assert Mirror(EVERYTHING).take(at(Status.RUNNING), present=False) is None


def test_a_listed_execution_that_is_gone_has_left() -> None:
    """Though it matches the filter."""
    mirror = Mirror(EVERYTHING)
    mirror.take(at(Status.COMPLETED), present=True)
    assert mirror.take(at(Status.COMPLETED), present=False) is ListChange.LEFT
    assert set(mirror.counts.values()) == {0}
    assert not mirror.lists(at(Status.COMPLETED))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["exec_1", "exec_2", "other"]), st.sampled_from(Status), st.booleans()
    )
)


@given(STEPS)
def test_counts_tell_the_statuses_of_all_that_match_but_for_their_status(
    steps: list[tuple[str, Status, bool]],
) -> None:
    """Whatever statuses the filter asks for; the mirror holds nothing of what is gone."""
    mirror = Mirror(RUNNING_ONLY)
    there: dict[str, Status] = {}
    for id, status, present in steps:
        mirror.take(at(status, id), present=present)
        there.pop(id, None)
        if present and id.startswith("exec_"):
            there[id] = status
    counted = {status: list(there.values()).count(status) for status in Status}
    assert mirror.counts == counted
    assert set(mirror._counted) == set(there)
    assert mirror._listed == {id for id, status in there.items() if status is Status.RUNNING}
