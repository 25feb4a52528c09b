"""The records of executions, as JSON in a bucket."""

import asyncio
import logging
from collections.abc import Callable

from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy

from ...errors import Conflict, Unavailable
from ...execution.model import Execution
from ...execution.plain import Parts, built, plain
from ...execution.record import PARTS, read
from ...json_value import dumps
from ..cluster.broker import CancelFlag, Record, Stored
from .bucket import Bucket
from .connection import Connection
from .consumption import consuming
from .names import Names, is_name

VERSION = 1
PAUSE_SECONDS = 0.05

logger = logging.getLogger("runcast.broker")


class Records:
    """One for each execution, under its id."""

    def __init__(self, connection: Callable[[], Connection], names: Names) -> None:
        self._connection = connection
        self._names = names
        self._bucket = Bucket(connection, names.bucket)

    async def create(self, record: Record) -> None:
        """
        Raises:
            InvalidInput: it is larger than the broker takes.
            Conflict: there is one already.
        """
        if not await self._bucket.create(self._key(record), self._content(record)):
            raise Conflict(f"{record.execution.id} is there already")

    async def read(self, execution_id: str) -> Stored | None:
        if not is_name(execution_id):
            return None
        value = await self._bucket.read(self._names.record(execution_id))
        if value is None:
            return None
        try:
            return Stored(load_record(value.content), value.revision)
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"the record of {execution_id} cannot be read: {error}") from error

    async def write(self, record: Record, revision: int) -> int:
        """
        Raises:
            InvalidInput: it is larger than the broker takes.
            Superseded: it has another revision by now.
        """
        return await self._bucket.replace(self._key(record), self._content(record), revision)

    async def remove(self, execution_id: str) -> None:
        if is_name(execution_id):
            await self._bucket.remove(self._names.record(execution_id))

    async def all(self) -> list[Record]:
        """Every record as it is now, or later.

        The server that sends them may be one that does not have yet what the leader has.
        """
        while True:
            latest = await self._bucket.read(self._names.all_records)
            if latest is None:
                return []
            scan = await _Scan().made(self._connection(), self._names)
            if scan.revision >= latest.revision:
                return scan.records
            await asyncio.sleep(PAUSE_SECONDS)

    def _key(self, record: Record) -> str:
        return self._names.record(record.execution.id)

    def _content(self, record: Record) -> bytes:
        content = dump_record(record)
        self._connection().check_size(content, f"the record of {record.execution.id}")
        return content


class _Scan:
    """All records that one server has."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.revision = 0
        """The latest of them all."""
        self._complete = False

    async def made(self, connection: Connection, names: Names) -> "_Scan":
        policy = DeliverPolicy.LAST_PER_SUBJECT
        async with consuming(
            connection,
            names.bucket,
            self._take,
            deliver_policy=policy,
            filter_subject=names.all_records,
        ) as consumption:
            if consumption.is_empty:
                return self
            await consumption.run()
        if not self._complete:
            raise Unavailable("the broker has gone while the records were read")
        return self

    def _take(self, message: Msg, revision: int, pending: int) -> bool:
        self.revision = max(self.revision, revision)
        if message.data:  # Somebody else may have left a mark that there was something.
            try:
                self.records.append(load_record(message.data))
            except (KeyError, TypeError, ValueError) as error:
                logger.error("the record %s cannot be read: %s", message.subject, error)
        self._complete = not pending
        return not self._complete


def dump_record(record: Record) -> bytes:
    """The record as JSON in UTF-8.

    Raises:
        NotJSON: a value is not JSON.
    """
    return dumps({"version": VERSION, "record": plain(record)})


def load_record(content: bytes) -> Record:
    """The record that `dump_record` was given. Keys that are not known here are passed over.

    Raises:
        KeyError, TypeError, ValueError: this is none, or one of a later version.
    """
    data = read(content)
    if data["version"] > VERSION:
        raise ValueError(f"it is of version {data['version']}; this process knows {VERSION}")
    return built(Record, data["record"], RECORD_PARTS)


RECORD_PARTS: Parts = {
    Record: {
        "execution": lambda data: built(Execution, data, PARTS),
        "cancel": lambda data: built(CancelFlag, data, PARTS),
    }
}
"""What is not in a record as JSON has it."""
