"""A broker in memory: of one test, with the faults that a real one has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple, Self

from runcast.core.engines.cluster.broker import (
    Claim,
    Entry,
    Holders,
    LogReader,
    Record,
    Stored,
    Superseded,
)
from runcast.core.errors import Conflict, InvalidInput, Unavailable
from runcast.core.execution.event_record import dump, load
from runcast.core.execution.plain import plain
from runcast.core.json_value import dumps
from runcast.core.live.launch import random_word

SLOWEST_SECONDS = 0.002


class Offer(NamedTuple):
    """From when on somebody may lease an execution, and since when it waits."""

    due: float
    execution_id: str
    since: float


class MemoryCluster:
    """What all brokers of a test have in common. Leases last `lease_seconds`."""

    def __init__(self, seed: int = 0, lease_seconds: float = 0.3) -> None:
        self.random = Random(seed)
        self.lease_seconds = lease_seconds
        self.epoch = random_word()
        self.records: dict[str, Stored] = {}
        self.log: list[Entry] = []
        self.claims: dict[str, Claim] = {}
        self.holders: dict[str, Holders] = {}
        self.offered: list[Offer] = []
        self.leased: dict[str, MemoryLease] = {}
        self.largest_record = 1 << 20
        self.changed = asyncio.Condition()
        self.brokers: list[MemoryBroker] = []

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@dataclass(eq=False)
class MemoryLease:
    """Runs out unless it is renewed."""

    execution_id: str
    broker: "MemoryBroker"
    offered: float
    expires: float = 0.0

    @property
    def age(self) -> float:
        return asyncio.get_running_loop().time() - self.offered

    async def renew(self) -> None:
        await self.broker.round_trip()
        if self.broker.cluster.leased.get(self.execution_id) is self:
            self.expires = asyncio.get_running_loop().time() + self.broker.cluster.lease_seconds

    async def settle(self) -> None:
        await self._given_back()

    async def release(self, delay: float = 0.0) -> None:
        if await self._given_back():
            due = asyncio.get_running_loop().time() + delay
            heappush(self.broker.cluster.offered, Offer(due, self.execution_id, self.offered))

    async def _given_back(self) -> bool:
        """Whether it was still ours."""
        await self.broker.round_trip()
        leased = self.broker.cluster.leased
        if leased.get(self.execution_id) is not self:
            return False
        del leased[self.execution_id]
        return True


@dataclass(eq=False)
class MemoryBroker:
    """Implements `Broker` for one process. While it is `away`, everything is refused."""

    cluster: MemoryCluster
    away: bool = False
    loses_answers_to: set[str] = field(default_factory=set)
    """What is done for these methods is done, and not answered."""
    _followers: list["asyncio.Task[None]"] = field(default_factory=list)
    _signals: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.cluster.brokers.append(self)

    @property
    def epoch(self) -> str:
        return self.cluster.epoch

    @property
    def available(self) -> bool:
        return not self.away

    @property
    def lease_seconds(self) -> float:
        return self.cluster.lease_seconds

    async def round_trip(self) -> None:
        if self.away:
            raise Unavailable("the broker is away")
        await asyncio.sleep(self.cluster.random.uniform(0, SLOWEST_SECONDS))
        if self.away:
            raise Unavailable("the broker has gone")

    async def create(self, record: Record) -> None:
        await self.round_trip()
        if record.execution.id in self.cluster.records:
            raise Conflict("it is there already")
        self.cluster.records[record.execution.id] = Stored(record, 1)
        if "create" in self.loses_answers_to:
            raise Unavailable("the broker has gone while it answered")

    async def read(self, execution_id: str) -> Stored | None:
        await self.round_trip()
        return self.cluster.records.get(execution_id)

    async def write(self, record: Record, revision: int) -> int:
        await self.round_trip()
        size = len(dumps(plain(record.execution)))
        if size > self.cluster.largest_record:
            raise InvalidInput(f"it takes {size} bytes")
        stored = self.cluster.records.get(record.execution.id)
        if stored is None or stored.revision != revision:
            raise Superseded("it has changed")
        self.cluster.records[record.execution.id] = Stored(record, revision + 1)
        return revision + 1

    async def remove(self, execution_id: str) -> None:
        await self.round_trip()
        self.cluster.records.pop(execution_id, None)

    async def append(self, entries: Sequence[Entry]) -> None:
        await self.round_trip()
        known = {(e.event.execution_id, e.sequence, e.term) for e in self.cluster.log}
        for entry in entries:
            if (entry.event.execution_id, entry.sequence, entry.term) not in known:
                # As it comes over a wire.
                self.cluster.log.append(entry._replace(event=load(dump(entry.event))))
        await self.cluster.tell()

    async def follow(self, reader: LogReader) -> None:
        await self.round_trip()
        begin = len(self.cluster.log)
        self._followers.append(asyncio.create_task(self._following(reader, begin)))
        reader.restore([stored.record for stored in self.cluster.records.values()])

    async def _following(self, reader: LogReader, at: int) -> None:
        while True:
            async with self.cluster.changed:
                await self.cluster.changed.wait_for(lambda: len(self.cluster.log) > at)  # noqa: B023
            await asyncio.sleep(self.cluster.random.uniform(0, SLOWEST_SECONDS))
            while self.away:  # noqa: ASYNC110
                await asyncio.sleep(SLOWEST_SECONDS)
            while at < len(self.cluster.log):
                reader.take(self.cluster.log[at])
                at += 1

    async def claim(self, key: str, claim: Claim) -> Claim:
        await self.round_trip()
        return self.cluster.claims.setdefault(key, claim)

    async def unclaim(self, key: str, claim: Claim) -> None:
        await self.round_trip()
        if self.cluster.claims.get(key) == claim:
            del self.cluster.claims[key]

    async def holders(self, pipeline_id: str) -> Holders:
        await self.round_trip()
        return self.cluster.holders.get(pipeline_id, Holders((), 0))

    async def hold(self, pipeline_id: str, holders: Holders) -> None:
        await self.round_trip()
        now = self.cluster.holders.get(pipeline_id, Holders((), 0))
        if now.revision != holders.revision:
            raise Superseded("it has changed")
        self.cluster.holders[pipeline_id] = Holders(holders.ids, now.revision + 1)

    async def offer(self, execution_id: str) -> None:
        await self.round_trip()
        now = asyncio.get_running_loop().time()
        heappush(self.cluster.offered, Offer(now, execution_id, now))

    async def lease(self) -> MemoryLease:
        while True:
            await self.round_trip()
            now = asyncio.get_running_loop().time()
            for id, lease in list(self.cluster.leased.items()):
                if lease.expires < now:
                    del self.cluster.leased[id]
                    heappush(self.cluster.offered, Offer(now, id, lease.offered))
            if self.cluster.offered and self.cluster.offered[0].due <= now:
                offer = heappop(self.cluster.offered)
                expires = now + self.cluster.lease_seconds
                lease = MemoryLease(offer.execution_id, self, offer.since, expires)
                self.cluster.leased[lease.execution_id] = lease
                return lease
            await asyncio.sleep(0.01)

    async def signal(self, execution_id: str) -> None:
        await self.round_trip()
        for broker in self.cluster.brokers:
            broker._signals.put_nowait(execution_id)

    async def signals(self) -> AsyncIterator[str]:
        while True:
            yield await self._signals.get()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._followers:
            task.cancel()
        if self._followers:
            await asyncio.wait(self._followers)
