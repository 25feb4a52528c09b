"""The broker on a real nats-server: what can be wrong with it, and what it survives."""

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import pytest
from nats_server import NatsServer, serving_nats
from patience import until
from runcast.core.engines.cluster.broker import PATIENCE_SECONDS, Claim, Entry, Record
from runcast.core.engines.jetstream.broker import JetStreamBroker
from runcast.core.engines.jetstream.refused import BrokerRefused
from runcast.core.engines.jetstream.settings import JetStreamSettings
from runcast.core.errors import InvalidInput, Unavailable
from runcast.core.execution.events import Began
from runcast.core.live.launch import random_word
from samples import an_execution


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One for all tests that leave it as it was."""
    with serving_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[NatsServer]:
    """One that may be killed, or frozen."""
    with serving_nats(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
async def _nothing_left(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """No task outlives its broker, and no traceback is logged."""
    before = asyncio.all_tasks()
    caplog.set_level(logging.INFO)
    yield
    assert not [one for one in asyncio.all_tasks() - before if "nats" in repr(one)]
    assert not [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR]


def a_broker(url: str, **settings: Any) -> JetStreamBroker:
    """Of a namespace of its own, unless the settings name one."""
    return JetStreamBroker(JetStreamSettings(url, **{"namespace": random_word()} | settings))


@asynccontextmanager
async def operator(server: NatsServer) -> AsyncIterator[Any]:
    """Asks the server itself: a function of JetStream's operation and its arguments."""
    client = await nats.connect(server.url)

    async def ask(operation: str, **arguments: Any) -> Any:
        answer = await client.request(f"$JS.API.{operation}", json.dumps(arguments).encode(), 5)
        return json.loads(answer.data)

    ask.client = client  # type: ignore[attr-defined]
    try:
        yield ask
    finally:
        await client.close()


class Reader:
    """Remembers what it is told: the ids of all records, and the numbers of entries."""

    def __init__(self) -> None:
        self.told: list[list[str] | int] = []

    def restore(self, records: Sequence[Record]) -> None:
        self.told.append(sorted(record.execution.id for record in records))

    def take(self, entry: Entry) -> None:
        self.told.append(entry.sequence)


def entry(sequence: int, id: str = "exec_1") -> Entry:
    return Entry(Began(id, at=sequence), sequence, 0)


class Cable:
    """A way to the server that can be cut, while others still reach it."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_cut = False

    async def __aenter__(self) -> "Cable":
        self._door = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._door.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        self._door.close()
        await self._door.wait_closed()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        self.is_cut = True
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.close()
            return
        there, out = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._writers += [writer, out]
        for source, sink in ((reader, out), (there, writer)):
            task = asyncio.create_task(_pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


# What is created, and what is refused


async def test_whoever_comes_first_creates_what_all_others_find(server: NatsServer) -> None:
    """However many come at once, and whatever their settings say."""
    namespace = random_word()
    brokers = [a_broker(server.url, namespace=namespace) for _ in range(5)]
    for broker in await asyncio.gather(*(broker.__aenter__() for broker in brokers)):
        assert broker.epoch == brokers[0].epoch
    await asyncio.gather(*(broker.__aexit__() for broker in brokers))
    async with a_broker(server.url, namespace=namespace, lease_seconds=1) as later:
        assert later.epoch == brokers[0].epoch
        assert str(later.cluster) == f"found KV_{namespace}, {namespace}-runs, {namespace}-events"
    async with operator(server) as ask:
        info = await ask(f"CONSUMER.INFO.{namespace}-runs.workers")
        assert info["config"]["ack_wait"] == 5 * 10**9
        info = await ask(f"STREAM.INFO.{namespace}-events")
        assert info["config"]["max_age"] == 600 * 10**9


async def test_namespaces_do_not_see_each_other(server: NatsServer) -> None:
    """Neither records nor keys, the log or what is offered."""
    async with a_broker(server.url) as one, a_broker(server.url) as other:
        assert one.epoch != other.epoch
        reader = Reader()
        await other.follow(reader)
        await one.create(Record(an_execution("exec_1")))
        await one.append([entry(1)])
        await one.claim("key", Claim("exec_1", "digest"))
        await one.offer("exec_1")
        assert await other.read("exec_1") is None
        assert await other.claim("key", Claim("exec_2", "digest")) == Claim("exec_2", "digest")
        await other.offer("exec_2")
        assert (await other.lease()).execution_id == "exec_2"
        await other.append([entry(2)])
        await until(lambda: len(reader.told) > 1)
        assert reader.told == [[], 2]


async def test_a_namespace_of_another_version_is_refused(server: NatsServer) -> None:
    """With the two versions in the message."""
    async with a_broker(server.url) as broker, operator(server) as ask:
        namespace = broker._settings.namespace
        newer = json.dumps({"format": 2, "epoch": "abc", "more": 1}).encode()
        await ask.client.jetstream().publish(f"$KV.{namespace}.cluster", newer)
        with pytest.raises(BrokerRefused, match=rf"'{namespace}' .* has format 2, .* knows 1"):
            await a_broker(server.url, namespace=namespace).__aenter__()


async def test_a_server_without_jetstream_is_refused(tmp_path: Path) -> None:
    """The message says what to switch on."""
    with (
        serving_nats(tmp_path, "--name", "plain") as server,
        pytest.raises(BrokerRefused, match=f"JetStream is not enabled .*{server.port}"),
    ):
        await a_broker(server.url).__aenter__()


async def test_more_replicas_than_servers_are_refused(server: NatsServer) -> None:
    """In the server's words."""
    with pytest.raises(BrokerRefused, match=r"does not create what is missing: .*replicas"):
        await a_broker(server.url, replicas=3).__aenter__()


async def test_a_broker_that_is_not_there_is_waited_for(
    mortal: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """That is said once, and all is refused until it comes."""
    mortal.kill()
    reader = Reader()
    async with a_broker(mortal.url) as broker:
        following = asyncio.create_task(broker.follow(reader))
        await asyncio.sleep(0.3)
        assert not broker.available
        assert broker.epoch == ""
        for method in (broker.read("exec_1"), broker.lease(), broker.signal("exec_1")):
            with pytest.raises(Unavailable, match="the broker is away"):
                await method
        assert caplog.messages == [f"the broker at {mortal.url} does not answer; trying again"]
        mortal.start()
        await following
        assert broker.available
        assert broker.epoch
        assert reader.told == [[]]


async def test_any_server_of_a_list_will_do(server: NatsServer, mortal: NatsServer) -> None:
    """Those that are away are passed over."""
    mortal.kill()
    async with a_broker(f"{mortal.url}, {server.url},{mortal.url}") as broker:
        assert broker.available


# Sizes


async def test_what_is_too_large_is_refused_in_words(server: NatsServer) -> None:
    """And what is not quite so large is read as it was."""
    async with a_broker(server.url) as broker:
        large = Record(an_execution("exec_1", input="x" * 1_040_000))
        await broker.create(large)
        stored = await broker.read("exec_1")
        assert stored is not None
        assert stored.record == large
        larger = Record(an_execution("exec_1", input="x" * 1_050_000))
        for refused in (broker.create(larger), broker.write(larger, stored.revision)):
            with pytest.raises(InvalidInput, match=r"exec_1 takes \d+ bytes, and the broker"):
                await refused
        assert await broker.read("exec_1") == stored


@pytest.mark.campaign
async def test_ten_thousand_records_are_read(server: NatsServer) -> None:
    """By one who comes later; how long it takes is printed."""
    async with a_broker(server.url) as broker:
        for begin in range(0, 10_000, 500):
            ids = [f"exec_{number}" for number in range(begin, begin + 500)]
            await asyncio.gather(
                *(broker.create(Record(an_execution(id, *"abcdef"))) for id in ids)
            )
        reader = Reader()
        begin_at = asyncio.get_running_loop().time()
        await broker.follow(reader)
        print(f"10,000 records in {asyncio.get_running_loop().time() - begin_at:.2f} s")  # noqa: T201
        assert len(reader.told[0]) == 10_000  # type: ignore[arg-type]


# Being away


async def test_a_frozen_broker_is_one_that_is_away(mortal: NatsServer) -> None:
    """Who asks is refused in time, who asks later at once, and all is well when it thaws."""
    async with a_broker(mortal.url) as broker:
        reader = Reader()
        await broker.follow(reader)
        await broker.create(Record(an_execution()))
        with mortal.frozen():
            async with asyncio.timeout(PATIENCE_SECONDS + 1):
                with pytest.raises(Unavailable):
                    await broker.read("exec_1")
            await until(lambda: not broker.available)
            with pytest.raises(Unavailable, match="the broker is away"):
                await broker.create(Record(an_execution("exec_2")))
        await until(lambda: broker.available)
        assert await broker.read("exec_2") is None
        await broker.append([entry(1)])
        await until(lambda: len(reader.told) > 1)
        assert reader.told == [[], 1]


async def test_who_leaves_a_frozen_broker_is_not_held_up(mortal: NatsServer) -> None:
    """Nor one that was killed."""
    async with a_broker(mortal.url) as broker:
        await broker.follow(Reader())
        leaving = mortal.frozen()
        leaving.__enter__()
    leaving.__exit__(None, None, None)
    async with a_broker(mortal.url) as broker:
        await broker.follow(Reader())
        mortal.kill()


async def test_nothing_is_lost_or_twice_through_restarts(mortal: NatsServer) -> None:
    """Of a log that somebody writes who tries again until it succeeds."""
    namespace = random_word()
    reader, number = Reader(), 1000
    async with (
        a_broker(mortal.url, namespace=namespace) as one,
        a_broker(mortal.url, namespace=namespace) as other,
    ):
        await one.follow(reader)

        async def write() -> None:
            at = 1
            while at <= number:
                some = [entry(each) for each in range(at, min(at + 5, number + 1))]
                try:
                    await other.append(some)
                    at += 5
                except Unavailable:
                    await asyncio.sleep(0.01)

        writing = asyncio.create_task(write())
        for goal in (20, 100, 200):
            await until(lambda goal=goal: len(reader.told) > goal)
            mortal.kill()
            await until(lambda: not one.available)
            mortal.start()
        await writing
        await until(lambda: one.available and len(reader.told) > number)
        assert reader.told == [[], *range(1, number + 1)]


async def test_what_was_missed_is_read_from_the_log(server: NatsServer) -> None:
    """By one who was cut off while others went on."""
    namespace = random_word()
    async with (
        Cable(server) as cable,
        a_broker(cable.url, namespace=namespace) as one,
        a_broker(server.url, namespace=namespace) as other,
    ):
        reader = Reader()
        await one.follow(reader)
        await other.append([entry(1)])
        await until(lambda: len(reader.told) == 2)
        cable.cut()
        await until(lambda: not one.available)
        await other.append([entry(2), entry(3)])
        cable.is_cut = False
        await until(lambda: one.available)
        assert reader.told == [[], 1, 2, 3]


async def test_what_is_no_longer_in_the_log_is_read_from_the_records(server: NatsServer) -> None:
    """And then what comes after them."""
    namespace = random_word()
    async with (
        Cable(server) as cable,
        a_broker(cable.url, namespace=namespace) as one,
        a_broker(server.url, namespace=namespace) as other,
        operator(server) as ask,
    ):
        reader = Reader()
        await one.follow(reader)
        await other.append([entry(1)])
        await until(lambda: len(reader.told) == 2)
        cable.cut()
        await until(lambda: not one.available)
        await other.create(Record(an_execution("exec_1")))
        await other.append([entry(2), entry(3)])
        await ask(f"STREAM.PURGE.{namespace}-events", keep=1)
        cable.is_cut = False
        await until(lambda: one.available)
        await other.append([entry(4)])
        await until(lambda: reader.told[-1] == 4)
        assert reader.told == [[], 1, ["exec_1"], 4]


async def test_a_broker_that_has_lost_everything_is_a_new_one(
    mortal: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it lacks is created, and the reader begins anew."""
    async with a_broker(mortal.url) as broker:
        reader, epoch = Reader(), broker.epoch
        await broker.follow(reader)
        await broker.create(Record(an_execution("exec_1")))
        await broker.append([entry(1)])
        await until(lambda: len(reader.told) == 2)
        mortal.kill()
        await until(lambda: not broker.available)
        shutil.rmtree(tmp_path / "nats")
        mortal.start()
        await until(lambda: broker.available)
        assert broker.epoch != epoch
        assert "the broker has lost everything that it had" in caplog.messages
        await broker.append([entry(1)])
        await until(lambda: len(reader.told) == 4)
        assert reader.told == [[], 1, [], 1]


async def test_who_listens_hears_what_is_signalled_after_a_restart(mortal: NatsServer) -> None:
    """What was signalled meanwhile is in the record."""
    async with a_broker(mortal.url) as broker:
        heard: list[str] = []

        async def listen() -> None:
            async for id in broker.signals():
                heard.append(id)

        listening = asyncio.create_task(listen())
        for id in ("exec_1", "exec_2"):
            while id not in heard:
                with suppress(Unavailable):
                    await broker.signal(id)
                await asyncio.sleep(0.01)
            mortal.kill()
            mortal.start()
        listening.cancel()
        await asyncio.wait([listening])


# Leases


async def test_what_is_offered_twice_is_leased_once(server: NatsServer) -> None:
    """Also while it is leased; later it can be offered anew."""
    async with a_broker(server.url) as broker, operator(server) as ask:
        await broker.offer("exec_1")
        await broker.offer("exec_1")
        lease = await broker.lease()
        await broker.offer("exec_1")
        await lease.settle()
        stream = f"{broker._settings.namespace}-runs"
        assert (await ask(f"STREAM.INFO.{stream}"))["state"]["messages"] == 0
        await broker.offer("exec_1")
        assert (await broker.lease()).execution_id == "exec_1"


async def test_a_lease_outlives_the_server(mortal: NatsServer) -> None:
    """Its holder goes on with it when the server is back.

    One that is killed may have forgotten what it has leased in the last second, and lets somebody
    else have it, too.
    """
    async with a_broker(mortal.url, lease_seconds=60) as broker:
        await broker.offer("exec_1")
        lease = await broker.lease()
        mortal.stop()
        await until(lambda: not broker.available)
        mortal.start()
        await until(lambda: broker.available)
        await lease.renew()
        await lease.settle()
        async with operator(mortal) as ask:
            stream = f"{broker._settings.namespace}-runs"
            assert (await ask(f"STREAM.INFO.{stream}"))["state"]["messages"] == 0


async def test_who_waits_for_leases_asks_once(server: NatsServer) -> None:
    """Also when the waiting was given up and begun anew, many times."""
    async with a_broker(server.url) as broker, operator(server) as ask:
        for _ in range(10):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await broker.lease()
        stream = f"{broker._settings.namespace}-runs"
        assert (await ask(f"CONSUMER.INFO.{stream}.workers"))["num_waiting"] == 1


async def test_a_queue_that_was_deleted_is_made_anew(server: NatsServer) -> None:
    """Who waits for a lease is told, and may wait again."""
    async with a_broker(server.url) as broker, operator(server) as ask:
        waiting = asyncio.create_task(broker.lease())
        stream = f"{broker._settings.namespace}-runs"
        while not (await ask(f"CONSUMER.INFO.{stream}.workers"))["num_waiting"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await ask(f"CONSUMER.DELETE.{stream}.workers")
        await until(waiting.done)
        assert isinstance(waiting.exception(), Unavailable)
        await until(lambda: broker.available)
        await broker.offer("exec_1")
        assert (await broker.lease()).execution_id == "exec_1"


# Records


async def test_the_same_record_can_be_written_again(server: NatsServer) -> None:
    """A write is no duplicate of one that says the same."""
    async with a_broker(server.url) as broker:
        record = Record(an_execution())
        await broker.create(record)
        stored = await broker.read("exec_1")
        assert stored is not None
        second = await broker.write(record, stored.revision)
        assert await broker.write(record, second) > second > stored.revision


async def test_a_record_of_a_later_version_hides_no_others(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads it is told that it cannot be read."""
    async with a_broker(server.url) as broker, operator(server) as ask:
        await broker.create(Record(an_execution("exec_1")))
        key = f"$KV.{broker._settings.namespace}.record.exec_2"
        await ask.client.jetstream().publish(key, b'{"version":2,"record":{}}')
        reader = Reader()
        await broker.follow(reader)
        assert reader.told == [["exec_1"]]
        (line,) = (one.message for one in caplog.records if one.levelno == logging.ERROR)
        assert line == f"the record {key} cannot be read: it is of version 2; this process knows 1"
        caplog.clear()
        with pytest.raises(Unavailable, match=r"record of exec_2 cannot be read: .* version 2"):
            await broker.read("exec_2")


async def test_of_a_removed_record_nothing_is_left(server: NatsServer) -> None:
    """No mark that it was there: the bucket would grow for ever."""
    async with a_broker(server.url) as broker, operator(server) as ask:
        stream = f"KV_{broker._settings.namespace}"
        before = (await ask(f"STREAM.INFO.{stream}"))["state"]["messages"]
        await broker.create(Record(an_execution("exec_1")))
        await broker.claim("key", Claim("exec_1", "digest"))
        await broker.remove("exec_1")
        await broker.unclaim("key", Claim("exec_1", "digest"))
        assert (await ask(f"STREAM.INFO.{stream}"))["state"]["messages"] == before
