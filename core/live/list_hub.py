"""What has changed in the list, for those who follow it in their own time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..execution.model import Execution
from ..fairness import LoopBudget
from .deliveries import Deliveries, Recipient

MOST_UNREAD = 1000
"""How many changes of the list wait for a reader, or a few more, before they are put together."""


@dataclass(slots=True)
class Dirty:
    """An execution that has changed since `version`, as it is now.

    `present` is false once it has left the store.
    """

    version: int
    execution: Execution
    present: bool
    unknown: bool
    """It has come since the reader last looked."""


@dataclass(slots=True)
class _News:
    """That an execution has changed, and what was news after that.

    Whoever has read it holds it no more: what nobody has still to read is gone. The state is the
    store's, as it is by the time that somebody reads of it; of one that has left, it is here.
    """

    number: int = 0
    version: int = 0
    execution_id: str = ""
    is_new: bool = False
    urgent: bool = False
    left: Execution | None = None
    following: "_News | None" = None


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
    def idle(self) -> bool:
        """Whether there is nothing to send now."""
        self.catch_up()
        return not self._dirty

    async def ready(self) -> None:
        """Returns when there is something for the reader, or will be nothing more."""
        if self._dirty or self.unread or self.closed:
            return
        self._ready.clear()
        self.waits = self.recipient is not None
        self.sleep()
        try:
            await self._ready.wait()
        finally:
            self.waits = False

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
        came_and_went = set()
        while (news := self._news.following) is not None:
            self._news = news
            id = news.execution_id
            if news.left is None:
                if execution := self._hub.find(id):
                    self._take(news, execution)
                elif news.is_new:
                    came_and_went.add(id)
            elif id not in came_and_went:
                self._take(news, news.left)

    def _take(self, news: _News, execution: Execution) -> None:
        present = news.left is None
        dirty = self._dirty.get(execution.id)
        if dirty is None:
            dirty = Dirty(news.version, execution, present, news.is_new)
            self._dirty[execution.id] = dirty
        dirty.execution, dirty.present = execution, present
        if dirty.unknown and not present:
            self._forget(execution.id)
        elif news.urgent:
            self._urgent.setdefault(execution.id)

    def _forget(self, execution_id: str) -> Dirty:
        self._urgent.pop(execution_id, None)
        return self._dirty.pop(execution_id)


class ListHub:
    """Passes each change of the list on to those who watch the list.

    They read it in their own time. To publish costs the same however many there are, but for those
    that wait: each of them is woken once.
    """

    def __init__(
        self, find: Callable[[str], Execution | None], budget: LoopBudget | None = None
    ) -> None:
        """`find` has the state of an execution, or None if it has left; `budget` is for what
        recipients do."""
        self.find = find
        self.deliveries = Deliveries(budget or LoopBudget())
        self.latest = _News()
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

    def publish(self, execution: Execution, version: int, *, present: bool, urgent: bool) -> None:
        self.latest.following = self.latest = _News(
            self.latest.number + 1,
            version,
            execution.id,
            is_new=execution.sequence == 1,
            urgent=urgent,
            left=None if present else execution,
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
