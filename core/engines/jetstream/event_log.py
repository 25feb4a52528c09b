"""The log of all events: what is appended, and what those see who follow it."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy

from ...errors import Unavailable
from ...execution.event_record import dump, load
from ..cluster.broker import Entry, LogReader
from .answers import answered, patience
from .connection import Connection
from .consumption import consuming
from .link import Link
from .names import Names
from .records import Records

MESSAGE_ID = "Nats-Msg-Id"
PAUSE_SECONDS = 0.1

logger = logging.getLogger("runcast.broker")


class EventLog:
    """Where entries are added. The id of each message is that of its entry: it is added once."""

    def __init__(self, connection: Callable[[], Connection], names: Names) -> None:
        self._connection = connection
        self._names = names

    async def append(self, entries: Sequence[Entry]) -> None:
        """All are sent, one behind the other, and then all answers are awaited.

        Raises:
            InvalidInput: one is larger than the broker takes.
        """
        connection = self._connection()
        contents = [dump(entry.event) for entry in entries]
        for content in contents:
            connection.check_size(content, "an event")
        answers = []
        async with patience():
            for entry, content in zip(entries, contents, strict=True):
                subject = self._names.event(entry.event.execution_id)
                headers = {MESSAGE_ID: message_id(entry)}
                answers.append(await connection.send(subject, content, headers))
            for answer in answers:
                answered(await answer)


class Tail:
    """Follows the log for one reader, over any number of connections.

    On each it goes on behind the last entry that the reader has. Where that is no longer possible,
    the reader is given all records, and then what follows them.
    """

    def __init__(
        self,
        link: Link,
        names: Names,
        records: Records,
        epoch: Callable[[], str],
        reader: LogReader,
    ) -> None:
        self._link = link
        self._names = names
        self._records = records
        self._present_epoch = epoch
        self._epoch = ""
        self._reader = reader
        self._position: int | None = None
        """Up to where the reader knows the log; None: it is to begin anew."""
        self._goal = 0
        self._early: list[tuple[Msg, int]] | None = None
        """What has come before the reader has the records."""
        self.caught_up = asyncio.Event()
        """That everything was taken which was in the log when the connection was made."""
        self._connection: Connection | None = None

    @property
    def is_current(self) -> bool:
        """Whether the reader has all that there is, as far as one can know."""
        return self.caught_up.is_set() and self._link.is_up_on(self._connection)

    async def run(self) -> None:
        """For ever."""
        while True:
            connection = self._connection = await self._link.connected()
            try:
                await self._follow(connection)
            except Unavailable as error:
                logger.debug("the log is not followed: %s", error)
            finally:
                self.caught_up.clear()
            if not connection.lost.is_set() and self._position is not None:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, connection: Connection) -> None:
        state = (await connection.ask(f"STREAM.INFO.{self._names.events}"))["state"]
        first, self._goal = state["first_seq"], state["last_seq"]
        if not self._can_go_on(first):
            self._position = None
        begin = self._goal if self._position is None else self._position
        self._early = [] if self._position is None else None
        async with consuming(
            connection,
            self._names.events,
            self._receive,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=begin + 1,
        ) as consumption:
            if self._early is not None and not await self._restore(begin):
                return
            self._look_whether_caught_up()
            await consumption.run()

    def _can_go_on(self, first: int) -> bool:
        """Whether the log still has everything that the reader lacks, and is the same one."""
        epoch, self._epoch = self._epoch, self._present_epoch()
        if self._position is None or epoch != self._epoch:
            return False
        return first <= self._position + 1 and self._position <= self._goal

    async def _restore(self, position: int) -> bool:
        """Whether what has come meanwhile follows the records."""
        records = await self._records.all()
        early, self._early = self._early or [], None
        self._reader.restore(records)
        self._position = position
        return all(self._take(*each) for each in early)

    def _receive(self, message: Msg, position: int, pending: int) -> bool:
        if self._early is None:
            return self._take(message, position)
        self._early.append((message, position))
        return True

    def _take(self, message: Msg, position: int) -> bool:
        if self._position is None or position > self._position + 1:
            # What was between is gone.
            self._position = None
            return False
        if position == self._position + 1:
            self._position = position
            try:
                entry = decoded(message)
            except (KeyError, TypeError, ValueError) as error:
                # Whoever misses it reads the record.
                logger.error("an event of %s cannot be read: %s", message.subject, error)
            else:
                self._reader.take(entry)
            self._look_whether_caught_up()
        return True

    def _look_whether_caught_up(self) -> None:
        if self._position is not None and self._position >= self._goal:
            self.caught_up.set()


def message_id(entry: Entry) -> str:
    return f"{entry.event.execution_id}/{entry.term}/{entry.sequence}"


def decoded(message: Msg) -> Entry:
    """
    Raises:
        KeyError, TypeError, ValueError: this is no entry, or one of a later version.
    """
    _, term, sequence = (message.headers or {})[MESSAGE_ID].split("/")
    return Entry(load(message.data), int(sequence), int(term))
