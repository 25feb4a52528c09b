"""What every broker does, the one in memory as well as the real one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import pytest
from memory_broker import MemoryBroker, MemoryCluster
from nats_server import NatsServer, serving_nats
from patience import until
from runcast.core.engines.cluster.broker import (
    PATIENCE_SECONDS,
    Broker,
    CancelFlag,
    Claim,
    Entry,
    Holders,
    Record,
    Superseded,
)
from runcast.core.engines.jetstream.broker import JetStreamBroker
from runcast.core.engines.jetstream.settings import JetStreamSettings
from runcast.core.errors import Conflict, Unavailable
from runcast.core.execution.events import Began, StageCompleted
from runcast.core.live.launch import random_word
from samples import an_execution

LONG, SHORT = 60.0, 1.0
"""How long leases last, in seconds: those that do not run out in a test, and those that do."""


class Cluster(Protocol):
    """Brokers of any number of processes."""

    def broker(self) -> Broker: ...

    def away(self) -> AbstractContextManager[None]:
        """Nobody reaches the broker while it lasts."""


class Memory:
    def __init__(self, lease_seconds: float) -> None:
        self._cluster = MemoryCluster(lease_seconds=lease_seconds)

    def broker(self) -> MemoryBroker:
        return MemoryBroker(self._cluster)

    @contextmanager
    def away(self) -> Iterator[None]:
        for broker in self._cluster.brokers:
            broker.away = True
        yield
        for broker in self._cluster.brokers:
            broker.away = False


class JetStream:
    def __init__(self, server: NatsServer, lease_seconds: float) -> None:
        self._server = server
        self._settings = JetStreamSettings(
            server.url, namespace=random_word(), lease_seconds=lease_seconds
        )

    def broker(self) -> JetStreamBroker:
        return JetStreamBroker(self._settings)

    @contextmanager
    def away(self) -> Iterator[None]:
        self._server.kill()
        yield
        self._server.start()


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with serving_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(params=["memory", "jetstream"])
def kind(request: pytest.FixtureRequest) -> Callable[[float], Cluster]:
    """Makes a cluster of that kind; its leases last so many seconds."""
    if request.param == "memory":
        return Memory
    return partial(JetStream, request.getfixturevalue("nats"))


@pytest.fixture
def cluster(kind: Callable[[float], Cluster]) -> Cluster:
    return kind(LONG)


@pytest.fixture
def hasty(kind: Callable[[float], Cluster]) -> Cluster:
    """A cluster whose leases run out soon."""
    return kind(SHORT)


class Reader:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[list[Record] | Entry] = []

    def restore(self, records: list[Record]) -> None:
        self.told.append(sorted(records, key=lambda record: record.execution.id))

    def take(self, entry: Entry) -> None:
        self.told.append(entry)

    @property
    def entries(self) -> list[Entry]:
        return [one for one in self.told if isinstance(one, Entry)]


@asynccontextmanager
async def following(broker: Broker) -> AsyncIterator[Reader]:
    reader = Reader()
    await broker.follow(reader)
    yield reader


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """They are cancelled, and over."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def entry(sequence: int, id: str = "exec_1", term: int = 0) -> Entry:
    return Entry(Began(id, at=sequence), sequence, term)


# Records


async def test_a_record_is_read_as_it_was_written(cluster: Cluster) -> None:
    """All of it, by every process: half a surrogate pair, a term, what a user has asked for."""
    execution = an_execution(labels=(("a", "b"),), input="\ud800 ü", output={"deep": [1, None]})
    flag = CancelFlag("no longer needed", forced=True)
    async with cluster.broker() as one, cluster.broker() as other:
        await one.create(Record(execution))
        first = await other.read("exec_1")
        assert first is not None
        assert first.record == Record(execution)
        changed = replace(first.record, term=3, lost=1, leased=True, cancel=flag)
        revision = await other.write(changed, first.revision)
        assert await one.read("exec_1") == (changed, revision)


@pytest.mark.parametrize("id", ["exec_2", "", "*", ">", "a.b", "a b", "exec_1\r\n", "ü", "\ud800"])
async def test_what_is_not_there_is_not_read(cluster: Cluster, id: str) -> None:
    """Whatever clients ask for."""
    async with cluster.broker() as broker:
        await broker.create(Record(an_execution("exec_1")))
        assert await broker.read(id) is None
        await broker.remove(id)
        assert await broker.read("exec_1") is not None


async def test_a_record_is_created_once(cluster: Cluster) -> None:
    """The second one changes nothing."""
    async with cluster.broker() as one, cluster.broker() as other:
        await one.create(Record(an_execution()))
        with pytest.raises(Conflict):
            await other.create(Record(an_execution(), term=1))
        stored = await one.read("exec_1")
        assert stored is not None
        assert stored.record.term == 0


async def test_of_those_who_write_at_once_one_succeeds(cluster: Cluster) -> None:
    """The others hear that they were too late, and have changed nothing."""
    async with cluster.broker() as one, cluster.broker() as other:
        await one.create(Record(an_execution()))
        before = await one.read("exec_1")
        assert before is not None

        async def write(broker: Broker, term: int) -> int | None:
            try:
                await broker.write(replace(before.record, term=term), before.revision)
            except Superseded:
                return None
            return term

        brokers = (one, other, one, other)
        written = await asyncio.gather(*(write(b, t) for t, b in enumerate(brokers, start=1)))
        (winner,) = (term for term in written if term is not None)
        after = await other.read("exec_1")
        assert after is not None
        assert after.record.term == winner


async def test_a_record_that_is_removed_is_gone(cluster: Cluster) -> None:
    """Nobody writes it any more, and its id is free."""
    async with cluster.broker() as broker:
        await broker.create(Record(an_execution()))
        before = await broker.read("exec_1")
        assert before is not None
        await broker.remove("exec_1")
        await broker.remove("exec_1")
        assert await broker.read("exec_1") is None
        with pytest.raises(Superseded):
            await broker.write(before.record, before.revision)
        await broker.create(Record(an_execution()))


# The log


async def test_everybody_takes_the_same_from_the_log(cluster: Cluster) -> None:
    """In the order in which it was added, whoever has added it."""
    async with (
        cluster.broker() as one,
        cluster.broker() as other,
        following(one) as here,
        following(other) as there,
    ):
        await one.append([entry(1), entry(2)])
        await other.append([entry(1, "exec_2"), entry(3)])
        await until(lambda: len(here.entries) == len(there.entries) == 4)
        assert here.told == there.told
        assert here.told == [[], entry(1), entry(2), entry(1, "exec_2"), entry(3)]


async def test_an_event_is_taken_as_it_was_added(cluster: Cluster) -> None:
    """With text that is no Unicode, and a value of many kinds."""
    event = StageCompleted("exec_1", 5, 0, {"text": "\udfff ü", "list": [1.5, None, True]})
    async with cluster.broker() as broker, following(broker) as reader:
        await broker.append([Entry(event, 17, 4)])
        await until(lambda: reader.entries)
        assert reader.entries == [Entry(event, 17, 4)]


async def test_what_is_in_the_log_is_not_added_again(cluster: Cluster) -> None:
    """Whoever does not know whether it is there adds it once more, perhaps with others."""
    async with cluster.broker() as one, cluster.broker() as other, following(one) as reader:
        await one.append([entry(1), entry(2)])
        await one.append([entry(1), entry(2), entry(3)])
        await other.append([entry(2), entry(3, term=1), entry(3, "exec_2")])
        await until(lambda: len(reader.entries) >= 5)
        assert reader.entries == [
            entry(1),
            entry(2),
            entry(3),
            entry(3, term=1),
            entry(3, "exec_2"),
        ]


async def test_nothing_to_add_is_not_wrong(cluster: Cluster) -> None:
    """Nobody is told of it."""
    async with cluster.broker() as broker, following(broker) as reader:
        await broker.append([])
        await broker.append([entry(1)])
        await until(lambda: reader.entries)
        assert reader.told == [[], entry(1)]


async def test_who_comes_later_is_given_all_records_first(cluster: Cluster) -> None:
    """And nothing of the log that is older than they are."""
    async with cluster.broker() as one, cluster.broker() as other:
        records = [Record(an_execution(f"exec_{number}")) for number in range(9)]
        for record in records:
            await one.create(record)
        await one.remove("exec_0")
        await one.append([entry(1)])
        async with following(other) as reader:
            assert reader.told == [records[1:]]
            await one.append([entry(2)])
            await until(lambda: reader.entries)
            assert reader.entries == [entry(2)]


async def test_nothing_is_missed_while_the_records_are_read(cluster: Cluster) -> None:
    """What is written before its event is in the records, or its event comes after them."""
    async with cluster.broker() as one, cluster.broker() as other:
        await one.create(Record(an_execution("exec_1")))
        done = 0

        async def write() -> None:
            nonlocal done
            stored = await one.read("exec_1")
            assert stored is not None
            record, revision = stored
            while done < 120:
                record = replace(record, term=done + 1)
                revision = await one.write(record, revision)
                await one.append([entry(done + 1)])
                done += 1

        writing = asyncio.create_task(write())
        for at in (0, 20, 50, 80):
            await until(lambda at=at: done >= at)
            async with following(other) as reader:
                (record,) = reader.told[0]
                seen = record.term  # type: ignore[union-attr]
            if at == 80:
                await writing
                await until(lambda: reader.entries and reader.entries[-1].sequence == 120)
            numbers = [one.sequence for one in reader.entries]
            begin = numbers[0] if numbers else seen + 1
            assert begin <= seen + 1
            assert numbers == list(range(begin, begin + len(numbers)))
        await writing


# Idempotency keys


@pytest.mark.parametrize("key", ["key", "", "a b.c*>", "\ud800\r\n", "ü" * 300])
async def test_a_key_belongs_to_who_claims_it_first(cluster: Cluster, key: str) -> None:
    """Until that claim is taken back, and by nobody else."""
    first, second = Claim("exec_1", "digest"), Claim("exec_2", "digest")
    async with cluster.broker() as one, cluster.broker() as other:
        assert await one.claim(key, first) == first
        assert await other.claim(key, second) == first
        assert await one.claim(key, first) == first
        await other.unclaim(key, second)
        assert await other.claim(key, second) == first
        await other.unclaim(key, first)
        await other.unclaim(key, first)
        assert await other.claim(key, second) == second


async def test_of_those_who_claim_a_key_at_once_one_has_it(cluster: Cluster) -> None:
    """And all are told the same."""
    async with cluster.broker() as one, cluster.broker() as other:
        claims = [Claim(f"exec_{number}", "digest") for number in range(8)]
        brokers = [one, other] * 4
        told = await asyncio.gather(
            *(b.claim("key", c) for b, c in zip(brokers, claims, strict=True))
        )
        assert len(set(told)) == 1


# Limits


@pytest.mark.parametrize("id", ["demo", "", "a b.c*>", "ü/\n"])
async def test_who_holds_a_place_is_written_by_one_at_a_time(cluster: Cluster, id: str) -> None:
    """Whoever has not seen what is there writes nothing."""
    async with cluster.broker() as one, cluster.broker() as other:
        nobody = await one.holders(id)
        assert nobody.ids == ()
        await one.hold(id, nobody._replace(ids=("exec_1",)))
        with pytest.raises(Superseded):
            await other.hold(id, nobody._replace(ids=("exec_2",)))
        present = await other.holders(id)
        assert present.ids == ("exec_1",)
        await other.hold(id, present._replace(ids=("exec_1", "exec_2")))
        assert (await one.holders(id)).ids == ("exec_1", "exec_2")
        assert (await one.holders("another")).ids == ()


# Leases


async def test_each_offer_is_leased_by_one(cluster: Cluster) -> None:
    """Whoever asks for it, and however many do."""
    async with cluster.broker() as one, cluster.broker() as other:
        ids = {f"exec_{number}" for number in range(20)}
        for id in sorted(ids):
            await one.offer(id)
        leased = []

        async def work(broker: Broker) -> None:
            while True:
                lease = await broker.lease()
                leased.append(lease.execution_id)
                await lease.settle()

        working = [asyncio.create_task(work(each)) for each in (one, other, one)]
        await until(lambda: len(leased) >= len(ids))
        await ended(*working)
        assert sorted(leased) == sorted(ids)


async def test_who_waits_for_a_lease_gets_what_is_offered_then(cluster: Cluster) -> None:
    """Its age is the time since it was offered."""
    async with cluster.broker() as one, cluster.broker() as other:
        waiting = asyncio.create_task(one.lease())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await other.offer("exec_1")
        lease = await waiting
        assert lease.execution_id == "exec_1"
        age = lease.age
        assert 0 <= age < 10
        await asyncio.sleep(0.05)
        assert lease.age >= age + 0.04


async def test_a_lease_that_is_not_renewed_runs_out(hasty: Cluster) -> None:
    """Somebody else has it then, and what its first holder says has no effect on that."""
    async with hasty.broker() as one, hasty.broker() as other:
        await one.offer("exec_1")
        first = await one.lease()
        second = await other.lease()
        assert second.execution_id == "exec_1"
        assert second.age >= SHORT * 0.9
        await first.renew()
        await first.settle()
        await first.release()
        third = await one.lease()
        assert third.execution_id == "exec_1"
        assert third.age >= SHORT * 1.8


async def test_a_lease_that_is_renewed_lasts(hasty: Cluster) -> None:
    """For as long as it is."""
    async with hasty.broker() as one, hasty.broker() as other:
        await one.offer("exec_1")
        lease = await one.lease()
        waiting = asyncio.create_task(other.lease())
        for _ in range(5):
            await asyncio.sleep(SHORT / 4)
            await lease.renew()
        assert not waiting.done()
        await lease.settle()
        await other.offer("exec_2")
        assert (await waiting).execution_id == "exec_2"


async def test_what_is_released_is_leased_again(cluster: Cluster) -> None:
    """At once, or when its delay is over; not when the lease would have run out."""
    async with cluster.broker() as one, cluster.broker() as other:
        await one.offer("exec_1")
        await (await one.lease()).release()
        async with asyncio.timeout(LONG / 2):
            lease = await other.lease()
            begin = asyncio.get_running_loop().time()
            await lease.release(0.5)
            assert (await one.lease()).execution_id == "exec_1"
        assert asyncio.get_running_loop().time() - begin >= 0.45


async def test_who_no_longer_waits_gets_nothing(cluster: Cluster) -> None:
    """What is offered then is somebody else's, before a lease could run out."""
    async with cluster.broker() as one, cluster.broker() as other:
        waiting = asyncio.create_task(one.lease())
        await asyncio.sleep(0.05)
        await ended(waiting)
        await other.offer("exec_1")
        async with asyncio.timeout(LONG / 2):
            assert (await other.lease()).execution_id == "exec_1"


async def test_who_leaves_has_taken_nothing_along(cluster: Cluster) -> None:
    """A broker that is left while something is offered lets others have it."""
    async with cluster.broker() as other:
        async with cluster.broker() as one:
            waiting = asyncio.create_task(one.lease())
            await asyncio.sleep(0.05)
            await asyncio.gather(other.offer("exec_1"), ended(waiting))
        async with asyncio.timeout(LONG / 2):
            assert (await other.lease()).execution_id == "exec_1"


# Signals


async def test_everybody_who_listens_is_signalled(cluster: Cluster) -> None:
    """Of all executions, in whatever process they listen."""
    async with cluster.broker() as one, cluster.broker() as other:
        heard: list[tuple[str, str]] = []

        async def listen(name: str, broker: Broker) -> None:
            async for id in broker.signals():
                heard.append((name, id))

        listening = [asyncio.create_task(listen(*each)) for each in (("a", one), ("b", other))]
        while len(set(heard)) < 4:
            await one.signal("exec_1")
            await other.signal("exec_2")
            await asyncio.sleep(0.01)
        await ended(*listening)
        assert set(heard) == {(name, id) for name in "ab" for id in ("exec_1", "exec_2")}


# Being away


async def test_a_broker_that_is_away_refuses_everything(cluster: Cluster) -> None:
    """Within the time that it has, and nothing of it happens when it is back."""
    async with cluster.broker() as broker:
        await broker.create(Record(an_execution("exec_1")))
        stored = await broker.read("exec_1")
        assert stored is not None
        await broker.offer("exec_1")
        lease = await broker.lease()
        async with following(broker) as reader:
            epoch = broker.epoch
            with cluster.away():
                await until(lambda: not broker.available)
                changed = replace(stored.record, term=9)
                methods = [
                    broker.create(Record(an_execution("exec_2"))),
                    broker.read("exec_1"),
                    broker.write(changed, stored.revision),
                    broker.remove("exec_1"),
                    broker.append([entry(1)]),
                    broker.claim("key", Claim("exec_1", "digest")),
                    broker.unclaim("key", Claim("exec_1", "digest")),
                    broker.holders("demo"),
                    broker.hold("demo", Holders(("exec_1",), 0)),
                    broker.offer("exec_2"),
                    broker.lease(),
                    broker.signal("exec_1"),
                    lease.renew(),
                ]
                async with asyncio.timeout(PATIENCE_SECONDS + 1):
                    results = await asyncio.gather(*methods, return_exceptions=True)
                assert [type(result) for result in results] == [Unavailable] * len(methods)
            await until(lambda: broker.available)
            assert broker.epoch == epoch
            assert await broker.read("exec_1") == stored
            assert await broker.read("exec_2") is None
            await broker.append([entry(2)])
            await until(lambda: reader.entries)
            assert reader.entries == [entry(2)]
            assert (await broker.holders("demo")).ids == ()
            other = Claim("exec_3", "digest")
            assert await broker.claim("key", other) == other
            await broker.offer("exec_3")
            leased = set()
            while "exec_3" not in leased:
                lease = await broker.lease()
                leased.add(lease.execution_id)
                await lease.settle()
            assert "exec_2" not in leased


async def test_who_waits_when_the_broker_goes_is_told(cluster: Cluster) -> None:
    """And may wait again when it is back."""
    async with cluster.broker() as broker:
        waiting = asyncio.create_task(broker.lease())
        await asyncio.sleep(0.05)
        with cluster.away():
            await until(waiting.done)
            assert isinstance(waiting.exception(), Unavailable)
        await until(lambda: broker.available)
        await broker.offer("exec_1")
        assert (await broker.lease()).execution_id == "exec_1"


async def test_who_follows_goes_on_where_it_was(cluster: Cluster) -> None:
    """Without the records once more, and without a hole."""
    async with cluster.broker() as one, cluster.broker() as other, following(one) as reader:
        await other.append([entry(1)])
        await until(lambda: reader.entries)
        for number in (2, 3):
            with cluster.away():
                await until(lambda: not one.available and not other.available)
            await until(lambda: other.available)
            await other.append([entry(number)])
            await until(lambda number=number: len(reader.entries) == number)
            assert one.available
        assert reader.told == [[], entry(1), entry(2), entry(3)]


async def test_all_are_of_one_epoch(cluster: Cluster) -> None:
    """Whoever comes first has made it up."""
    async with cluster.broker() as one, cluster.broker() as other:
        assert one.epoch == other.epoch
        assert one.epoch
