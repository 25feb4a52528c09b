"""The broker of a cluster, on NATS JetStream."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Self

from ..cluster.broker import Claim, Entry, Holders, LogReader, Record, Stored
from ..tasks import ended
from .claims import Claims
from .cluster import Cluster, opened
from .connection import Connection
from .event_log import EventLog, Tail
from .holders import HoldersByPipeline
from .leases import JetStreamLease, Leases
from .link import Link
from .names import Names
from .records import Records
from .settings import JetStreamSettings
from .signals import Signals

logger = logging.getLogger("runcast.broker")


class JetStreamBroker:
    """Implements `Broker`. Entering tries to connect, which goes on inside if need be.

    Raises:
        BrokerRefused: on entering, that there is no use in trying again; the message says why.
    """

    def __init__(self, settings: JetStreamSettings) -> None:
        names = self._names = Names(settings.namespace, settings.shards)
        self._settings = settings
        self._link = Link(settings, self._prepare)
        self._cluster: Cluster | None = None
        self._records = Records(self._connection, names)
        self._claims = Claims(self._connection, names)
        self._holders = HoldersByPipeline(self._connection, names)
        self._log = EventLog(self._connection, names)
        self._leases = Leases(self._connection, names)
        self._signals = Signals(self._link, names)
        self._tails: dict[asyncio.Task[None], Tail] = {}
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._link.begin()
        self._keeping = asyncio.create_task(self._link.keep(), name="the broker's connection")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._leases.close()
        await ended(*self._tails, *([self._keeping] if self._keeping else []))
        await self._link.close()

    @property
    def cluster(self) -> Cluster | None:
        """What was found in the broker, and what was created there; as text, a line for a log.

        None until it was there.
        """
        return self._cluster

    @property
    def epoch(self) -> str:
        """Empty until the broker was there."""
        return self._cluster.epoch if self._cluster is not None else ""

    @property
    def available(self) -> bool:
        return self._link.is_up and all(tail.is_current for tail in self._tails.values())

    @property
    def lease_seconds(self) -> float:
        return self._leases.seconds

    async def create(self, record: Record) -> None:
        await self._records.create(record)

    async def read(self, execution_id: str) -> Stored | None:
        return await self._records.read(execution_id)

    async def write(self, record: Record, revision: int) -> int:
        return await self._records.write(record, revision)

    async def remove(self, execution_id: str) -> None:
        await self._records.remove(execution_id)

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._log.append(entries)

    async def follow(self, reader: LogReader) -> None:
        """Waits for the broker as long as it takes."""
        tail = Tail(self._link, self._names, self._records, lambda: self.epoch, reader)
        following = asyncio.create_task(tail.run(), name="the broker's log")
        self._tails[following] = tail
        following.add_done_callback(self._forget)
        caught_up = asyncio.create_task(tail.caught_up.wait())
        try:
            await asyncio.wait([following, caught_up], return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
        except BaseException:
            following.cancel()
            raise
        finally:
            caught_up.cancel()

    async def claim(self, key: str, claim: Claim) -> Claim:
        return await self._claims.claim(key, claim)

    async def unclaim(self, key: str, claim: Claim) -> None:
        await self._claims.unclaim(key, claim)

    async def holders(self, pipeline_id: str) -> Holders:
        return await self._holders.read(pipeline_id)

    async def hold(self, pipeline_id: str, holders: Holders) -> None:
        await self._holders.write(pipeline_id, holders)

    async def offer(self, execution_id: str) -> None:
        await self._leases.offer(execution_id)

    async def lease(self) -> JetStreamLease:
        return await self._leases.lease()

    async def signal(self, execution_id: str) -> None:
        await self._signals.send(execution_id)

    def signals(self) -> AsyncIterator[str]:
        return self._signals.received()

    def _connection(self) -> Connection:
        return self._link.connection

    async def _prepare(self, connection: Connection) -> None:
        before = self.epoch
        cluster = self._cluster = await opened(connection, self._settings, self._names)
        self._leases.seconds = cluster.lease_seconds
        if not before:
            logger.info("the broker: %s", cluster)
        elif before != cluster.epoch:
            logger.warning("the broker has lost everything that it had")

    def _forget(self, following: "asyncio.Task[None]") -> None:
        del self._tails[following]
        if not following.cancelled() and (error := following.exception()) is not None:
            logger.error("the broker's log is no longer followed", exc_info=error)
