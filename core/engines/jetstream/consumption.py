"""Messages of a stream as they come, in order, until one may be missing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from .connection import Connection

HEARTBEAT_SECONDS = 2.0
"""How often the broker says that there is nothing to say."""
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
CONTROL = "100"
STALLED = "Nats-Consumer-Stalled"

Take: TypeAlias = Callable[[Msg, int, int], bool]
"""Is given a message, its number in the stream, and how many are to come; says whether to go on."""


class Consumption:
    """An ordered consumer of a push consumer that lives as long as somebody listens.

    The broker sends no more than is read here: it waits for answers between (flow control).
    """

    def __init__(self, connection: Connection, take: Take) -> None:
        self._connection = connection
        self._take = take
        self._next = 1
        self._heard = 0
        self._over = asyncio.Event()
        self.is_empty = False
        """Whether there was nothing to consume at the beginning."""

    def end(self) -> None:
        self._over.set()

    async def run(self) -> None:
        """Returns when nothing more comes, or not what should come next."""
        heard = -1
        while not self._over.is_set() and heard != self._heard:
            heard = self._heard
            with suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._over.wait()

    async def receive(self, message: Msg) -> None:
        self._heard += 1
        if self._over.is_set():
            return
        headers = message.headers or {}
        if headers.get("Status") == CONTROL:
            if reply := message.reply or headers.get(STALLED):
                await self._connection.publish(reply)
            return
        about = message.metadata
        if about.sequence.consumer != self._next:
            self.end()
            return
        self._next += 1
        if not self._take(message, about.sequence.stream, about.num_pending):
            self.end()


@asynccontextmanager
async def consuming(
    connection: Connection, stream: str, take: Take, **config: Any
) -> AsyncIterator[Consumption]:
    """What is taken from the stream, from now on; `config` says from where.

    Raises:
        Unavailable: the broker does not begin with it.
    """
    consumption = Consumption(connection, take)
    inbox = connection.new_inbox()
    subscription = await connection.listen(inbox, consumption.receive, consumption.end)
    try:
        consumer = ConsumerConfig(
            deliver_subject=inbox,
            ack_policy=AckPolicy.NONE,
            flow_control=True,
            idle_heartbeat=HEARTBEAT_SECONDS,
            mem_storage=True,
            num_replicas=1,
            **config,
        )
        operation = f"CONSUMER.CREATE.{stream}"
        info = await connection.ask(operation, stream_name=stream, config=consumer.as_dict())
        consumption.is_empty = not info["num_pending"]
        yield consumption
    finally:
        # Without a listener the broker forgets the consumer by itself.
        await connection.forget(subscription)
