"""What has changed in the list, for readers of any speed."""

import asyncio

import pytest
from patience import turns
from runcast.core.execution.model import Execution, Status
from runcast.core.live.list_hub import MOST_UNREAD, ListHub, ListWatcher
from samples import an_execution

pytestmark = pytest.mark.usefixtures("leaves_no_task")


def at(status: Status, id: str = "exec_1", sequence: int = 2) -> Execution:
    return an_execution(id, status=status, sequence=sequence)


class Published:
    """A hub with one watcher."""

    def __init__(self) -> None:
        self.statuses: dict[str, Status] = {}
        self.hub = ListHub()
        self.watcher = ListWatcher(self.hub)

    def publish(
        self, execution: Execution, version: int, *, present: bool = True, urgent: bool = True
    ) -> None:
        was = self.statuses.pop(execution.id, None)
        if present:
            self.statuses[execution.id] = execution.status
        self.hub.publish(execution, version, was, present=present, urgent=urgent)

    def following(self, number: int) -> list[str]:
        """The ids of the next so many."""
        dirty = [self.watcher.next() for _ in range(number)]
        return [one.execution_id for one in dirty if one is not None]


@pytest.fixture
def published() -> Published:
    return Published()


def test_a_slow_reader_is_told_of_each_once(published: Published) -> None:
    """Of the one that has been dirty for the longest time first, and how the reader knew it."""
    watcher = published.watcher
    published.publish(at(Status.QUEUED, "exec_1"), 4)
    assert published.following(1) == ["exec_1"]
    published.publish(at(Status.RUNNING, "exec_1", 3), 5)
    published.publish(at(Status.QUEUED, "exec_2"), 6)
    published.publish(at(Status.COMPLETED, "exec_1", 4), 7)
    assert watcher.seen(7) == 4
    first = watcher.next()
    assert first is not None
    assert (first.execution_id, first.was) == ("exec_1", Status.QUEUED)
    assert watcher.seen(7) == 5 and not watcher.idle
    second = watcher.next()
    assert second is not None and (second.execution_id, second.was) == ("exec_2", None)
    assert watcher.seen(7) == 7 and watcher.idle


def test_what_is_urgent_comes_first(published: Published) -> None:
    """Also when it became so later; among its like, what has been waiting comes first."""
    for version, id in enumerate(("exec_1", "exec_2", "exec_3"), start=5):
        published.publish(at(Status.RUNNING, id), version, urgent=False)
    published.publish(at(Status.QUEUED, "exec_4"), 8)
    published.publish(at(Status.FAILED, "exec_3", 3), 9)
    published.publish(at(Status.RUNNING, "exec_4", 3), 10, urgent=False)
    assert published.following(4) == ["exec_4", "exec_3", "exec_1", "exec_2"]
    assert published.watcher.idle


def test_what_was_seen_ends_before_the_oldest_that_was_not(published: Published) -> None:
    """Whatever has gone before it."""
    published.publish(at(Status.RUNNING, "exec_1"), 5, urgent=False)
    published.publish(at(Status.QUEUED, "exec_2"), 6)
    assert published.following(1) == ["exec_2"]
    assert published.watcher.seen(6) == 4
    assert published.following(1) == ["exec_1"]
    assert published.watcher.seen(6) == 6


def test_what_came_and_went_unread_costs_nothing(published: Published) -> None:
    """A stalled reader of the list does not keep all that ever ran."""
    watcher = published.watcher
    for number in range(50):
        id = f"exec_{number}"
        published.publish(at(Status.QUEUED, id, sequence=1), 2 * number)
        published.publish(at(Status.FAILED, id), 2 * number + 1, present=False)
    watcher.catch_up()
    assert (len(watcher._dirty), len(watcher._urgent)) == (0, 0)
    known = at(Status.RUNNING, "exec_known")
    published.publish(known, 100)
    assert published.following(1) == ["exec_known"]
    published.publish(known, 101, present=False)
    dirty = watcher.next()
    assert dirty is not None and (dirty.left, dirty.was) == (known, Status.RUNNING)


def test_one_change_is_read_alone(published: Published) -> None:
    """When nothing else is to be sent; otherwise everything is put in its order."""
    watcher = published.watcher
    assert watcher.only_news() is None
    published.publish(at(Status.QUEUED, "exec_1"), 5)
    news = watcher.only_news()
    assert news is not None and (news.execution_id, news.version) == ("exec_1", 5)
    assert watcher.idle and watcher.only_news() is None
    published.publish(at(Status.QUEUED, "exec_2"), 6)
    published.publish(at(Status.QUEUED, "exec_3"), 7)
    assert watcher.only_news() is None
    assert published.following(1) == ["exec_2"]
    published.publish(at(Status.QUEUED, "exec_4"), 8)
    assert watcher.only_news() is None
    assert published.following(2) == ["exec_3", "exec_4"]


def test_a_reader_that_never_reads_is_helped() -> None:
    """What is new to it is put together for it: there is never much more than MOST_UNREAD."""
    published, most = Published(), 0
    with published.hub.watching() as one, published.hub.watching() as other:
        for number in range(5 * MOST_UNREAD):
            id = f"exec_{number // 2}"
            is_over = number % 2 == 1
            published.publish(at(Status.QUEUED, id, 1 + is_over), number, present=not is_over)
            most = max(most, one.unread, other.unread)
        assert most <= MOST_UNREAD + 2
        other.catch_up()
        assert len(other._dirty) == 0


async def test_a_change_wakes_each_that_waits_once() -> None:
    """What is published to those who do not wait costs the same however many there are."""
    published = Published()
    with published.hub.watching() as first, published.hub.watching() as second:
        waiting = [asyncio.create_task(one.ready()) for one in (first, second)]
        await turns()
        assert len(published.hub.sleeping) == 2
        for version in range(3):
            published.publish(at(Status.RUNNING), version)
            assert not published.hub.sleeping
        await asyncio.gather(*waiting)
        assert (first.unread, second.unread) == (3, 3)


async def test_closing_ends_watchers_once_they_have_read_what_they_have() -> None:
    """Those who wait, those with something dirty, and those who come later."""
    published = Published()
    hub = published.hub
    with hub.watching() as full, hub.watching() as waiting:
        published.publish(at(Status.QUEUED), 1)
        assert waiting.next() is not None
        task = asyncio.create_task(waiting.ready())
        await turns()
        assert not task.done()
        hub.close()
        await task
        assert waiting.next() is None
        assert full.next() is not None
        assert full.next() is None
    with hub.watching() as late:
        await late.ready()
        assert late.next() is None
    assert len(hub) == 0
