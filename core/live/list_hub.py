"""What has changed in the list, for those who follow it in their own time."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..execution.model import Execution, Status
from ..fairness import LoopBudget
from .deliveries import Deliveries, Recipient

MOST_UNREAD = 1000
"""How many changes of the list wait for a reader, or a few more, before they are put together."""


@dataclass(slots=True)
class News:
    """That an execution has changed, and what was news after that.

    Whoever has read it holds it no more: what nobody has still to read is gone. The state is the
    store's, as it is by the time that somebody reads of it; of one that has left, it is here.
    """

    number: int = 0
    version: int = 0
    execution_id: str = ""
    was: Status | None = None
    """The status from before the change; None if the execution has come with it."""
    urgent: bool = False
    left: Execution | None = None
    following: "News | None" = None


@dataclass(slots=True)
class Dirty:
    """An execution that has changed since `version`."""

    version: int
    execution_id: str
    was: Status | None
    """Its status when the reader last looked; None if it has come since."""
    left: Execution | None = None
    """What it was last, once it has left the store."""


class ListWatcher:
    """Which executions have changed since the reader last looked.

    Keyed by execution and not a queue of changes: a slow reader gets the latest state of each,
    once, and never costs more than one entry for each that is live, or that it was sent before.
    What came, ended, left or has another status goes before what has merely moved on.
    """

    __slots__ = (
        "_dirty",
        "_hub",
        "_news",
        "_ready",
        "_urgent",
        "closed",
        "recipient",
        "waits",
    )

    def __init__(self, hub: "ListHub") -> None:
        self._hub = hub
        self._news = hub.latest
        """The last that was read."""
        self._dirty: OrderedDict[str, Dirty] = OrderedDict()
        """Everything that is to be sent, by its version: what is dirty for the longest first."""
        self._urgent: OrderedDict[str, None] = OrderedDict()
        """What of it is sent first."""
        self._ready = asyncio.Event()
        self.closed = False
        self.recipient: Recipient | None = None
        """Who is to look in place of the reader while that waits."""
        self.waits = False
        """Whether the recipient is to look, because the reader waits and has read everything."""

    def close(self) -> None:
        """What is dirty is still read, then `next` returns None."""
        self.closed = True
        self.wake_reader()

    def wake(self) -> None:
        """There is something new."""
        if self.waits and self.recipient is not None:
            self._hub.deliveries.add(self.recipient)
        else:
            self._ready.set()

    def wake_reader(self) -> None:
        """The recipient leaves the rest to the reader."""
        self.waits = False
        self._ready.set()

    def sleep(self) -> None:
        """Everything is read: `wake` is called when there is something new."""
        self._hub.sleeping.append(self)

    @property
    def unread(self) -> int:
        """How many changes it has still to look at."""
        return self._hub.latest.number - self._news.number

    @property
    def has_more(self) -> bool:
        """Whether there is something to read now, or to look at."""
        return bool(self._dirty) or self._news.following is not None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to send now."""
        self.catch_up()
        return not self._dirty

    async def ready(self) -> None:
        """Returns when there is something for the reader, or will be nothing more."""
        if self.has_more or self.closed:
            return
        self._ready.clear()
        self.waits = self.recipient is not None
        self.sleep()
        try:
            await self._ready.wait()
        finally:
            self.waits = False

    def only_news(self) -> News | None:
        """What has changed, if it is one change and nothing else is to be sent; it is read now."""
        news = self._news.following
        if self._dirty or news is None or news.following is not None:
            return None
        self._news = news
        return news

    def next(self) -> Dirty | None:
        """The most urgent execution; of the equally urgent, the first that has become so."""
        self.catch_up()
        if not self._dirty:
            return None
        return self._forget(next(iter(self._urgent or self._dirty)))

    def seen(self, version: int) -> int:
        """The version up to which the reader has seen everything, if the list is at `version`."""
        self.catch_up()
        oldest = next(iter(self._dirty.values()), None)
        return version if oldest is None else oldest.version - 1

    def catch_up(self) -> None:
        """Looks at all that has changed."""
        while (news := self._news.following) is not None:
            self._news = news
            id = news.execution_id
            dirty = self._dirty.get(id)
            if dirty is None:
                dirty = self._dirty[id] = Dirty(news.version, id, news.was)
            dirty.left = news.left
            if dirty.left is not None and dirty.was is None:
                self._forget(id)
            elif news.urgent:
                self._urgent.setdefault(id)

    def _forget(self, execution_id: str) -> Dirty:
        self._urgent.pop(execution_id, None)
        return self._dirty.pop(execution_id)


class ListHub:
    """Passes each change of the list on to those who watch the list.

    They read it in their own time. To publish costs the same however many there are, but for those
    that wait: each of them is woken once.
    """

    def __init__(self, budget: LoopBudget | None = None) -> None:
        """`budget` is for what recipients do."""
        self.deliveries = Deliveries(budget or LoopBudget())
        self.latest = News()
        self.sleeping: list[ListWatcher] = []
        self._watchers: OrderedDict[ListWatcher, None] = OrderedDict()
        self._closed = False

    def __len__(self) -> int:
        return len(self._watchers)

    @contextmanager
    def watching(self) -> Iterator[ListWatcher]:
        """Everything that changes from now on reaches the watcher, until the block is left."""
        watcher = ListWatcher(self)
        if self._closed:
            watcher.close()
        self._watchers[watcher] = None
        try:
            yield watcher
        finally:
            del self._watchers[watcher]
            # Each knows the other: what they hold would stay until the collector comes.
            watcher.recipient = None

    def publish(
        self,
        execution: Execution,
        version: int,
        was: Status | None,
        *,
        present: bool = True,
        urgent: bool,
    ) -> None:
        """An execution with the status `was`, None if it was not there, is like this now.

        It has left if it is not `present`.
        """
        left = None if present else execution
        self.latest.following = self.latest = News(
            self.latest.number + 1, version, execution.id, was, urgent, left
        )
        sleeping, self.sleeping = self.sleeping, []
        for watcher in sleeping:
            watcher.wake()
        self._help_the_slow()

    def close(self) -> None:
        """Every watcher, also one that comes later, ends once it has read what it has."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()

    def _help_the_slow(self) -> None:
        """One after the other: a reader that does not read would have all that ever happens stay.

        What it is to be sent is no more than there are executions.
        """
        if self._watchers:
            watcher = next(iter(self._watchers))
            self._watchers.move_to_end(watcher)
            if watcher.unread > MOST_UNREAD:
                watcher.catch_up()
