"""The objects of one cluster in the broker: made by whoever comes first, found by all others."""

from dataclasses import dataclass
from typing import Any

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from ...errors import Unavailable
from ...json_value import dumps, loads
from ...live.launch import random_word
from .answers import Code, NobodyAnswers, Rejected
from .bucket import Bucket
from .connection import Connection
from .names import WORKERS, Names
from .refused import BrokerRefused
from .settings import JetStreamSettings

FORMAT = 1
"""Of everything that is stored. Another one is for another version of runcast."""
OFF = {Code.NOT_ENABLED, Code.NOT_ENABLED_FOR_ACCOUNT}
MOST_WORKERS = 10_000
"""How many can wait for a run at the same time."""
DUPLICATES_SECONDS = 120.0
"""How long the log knows what is in it, so that it does not take it again."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was found, or created."""

    epoch: str
    lease_seconds: float
    created: tuple[str, ...]
    found: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"created {', '.join(self.created)}"] if self.created else []
        parts += [f"found {', '.join(self.found)}"] if self.found else []
        return "; ".join(parts)


async def opened(connection: Connection, settings: JetStreamSettings, names: Names) -> Cluster:
    """Creates what is missing. What is there stays as it is, whatever the settings say.

    Raises:
        BrokerRefused: the broker has no JetStream, cannot create it so, or what is there is of
            another version.
        Unavailable: not now.
    """
    await _check_jetstream(connection)
    created: list[str] = []
    found: list[str] = []
    for config in _streams(settings, names):
        is_new = await _create_stream(connection, config)
        (created if is_new else found).append(str(config.name))
    lease_seconds = await _consumer(connection, settings, names)
    epoch = await _epoch(connection, names)
    return Cluster(epoch, lease_seconds, tuple(created), tuple(found))


async def _check_jetstream(connection: Connection) -> None:
    off = f"JetStream is not enabled in the broker at {connection.server}"
    try:
        await connection.ask("INFO")
    except NobodyAnswers:
        raise BrokerRefused(off) from None
    except Rejected as error:
        if error.number in OFF:
            raise BrokerRefused(off) from None
        raise


def _streams(settings: JetStreamSettings, names: Names) -> list[StreamConfig]:
    # As the specification of key-value buckets has it (ADR-8), so that `nats kv` shows it.
    bucket = StreamConfig(
        name=names.bucket,
        subjects=[f"{names.keys}.>"],
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=True,
    )
    runs = StreamConfig(
        name=names.runs,
        subjects=[names.all_runs],
        retention=RetentionPolicy.WORK_QUEUE,
        # An execution that is offered twice is there once.
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
    )
    events = StreamConfig(
        name=names.events,
        subjects=[names.all_events],
        max_age=settings.log_seconds,
        duplicate_window=min(DUPLICATES_SECONDS, settings.log_seconds),
    )
    return [
        each.evolve(storage=StorageType.FILE, num_replicas=settings.replicas)
        for each in (bucket, runs, events)
    ]


async def _create_stream(connection: Connection, config: StreamConfig) -> bool:
    """Whether it was missing."""
    try:
        await connection.ask(f"STREAM.INFO.{config.name}")
    except Rejected as error:
        if error.number != Code.NO_STREAM:
            raise
    else:
        return False
    await _create(connection, f"STREAM.CREATE.{config.name}", config.as_dict())
    return True


async def _consumer(connection: Connection, settings: JetStreamSettings, names: Names) -> float:
    """How long a lease is: as the consumer has it that is there."""
    try:
        info = await connection.ask(f"CONSUMER.INFO.{names.runs}.{WORKERS}")
    except Rejected as error:
        if error.number != Code.NO_CONSUMER:
            raise
        config = ConsumerConfig(
            durable_name=WORKERS,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=settings.lease_seconds,
            max_deliver=-1,
            max_ack_pending=-1,
            max_waiting=MOST_WORKERS,
        )
        arguments = {"stream_name": names.runs, "config": config.as_dict()}
        operation = f"CONSUMER.DURABLE.CREATE.{names.runs}.{WORKERS}"
        info = await _create(connection, operation, arguments)
    return float(info["config"]["ack_wait"] / 1e9)


async def _create(connection: Connection, operation: str, arguments: dict[str, Any]) -> Any:
    try:
        return await connection.ask(operation, **arguments)
    except Rejected as error:
        reason = f"the broker at {connection.server} does not create what is missing"
        raise BrokerRefused(f"{reason}: {error.description}") from None


async def _epoch(connection: Connection, names: Names) -> str:
    """The word that whoever was first has made up for this cluster."""
    bucket = Bucket(lambda: connection, names.bucket)
    await bucket.create(names.cluster, dumps({"format": FORMAT, "epoch": random_word()}))
    value = await bucket.read(names.cluster)
    if value is None:
        raise Unavailable("the broker does not store what it is given")
    about: Any = loads(value.content)
    if about["format"] != FORMAT:
        raise BrokerRefused(
            f"the namespace {names.namespace!r} of the broker at {connection.server} has format"
            f" {about['format']}, and this version of runcast knows {FORMAT}: use another namespace"
        )
    return str(about["epoch"])
