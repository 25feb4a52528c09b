"""Executions that wait for a worker, and those that one has leased."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from ...clock import measured_ns
from ...errors import Unavailable
from ...json_value import dumps
from .answers import Code, Rejected, patience
from .connection import Connection
from .names import WORKERS, Names

EXPIRY_SECONDS = 30.0
"""How long the broker remembers that somebody wants to lease something."""
HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 2 * HEARTBEAT_SECONDS
HEARTBEAT, EXPIRED = "100", "408"
RENEW, SETTLE, RELEASE = b"+WPI", b"+ACK", b"-NAK"
PAUSE_SECONDS = 0.5
SECOND = 10**9


class Leases:
    """A work queue: what is offered is leased by one, and offered again if the lease runs out."""

    def __init__(self, connection: Callable[[], Connection], names: Names) -> None:
        self._connection = connection
        self._names = names
        self.seconds = 0.0
        """How long a lease is, which the broker knows."""
        self._one_at_a_time = asyncio.Lock()
        self._desk: _Desk | None = None

    async def offer(self, execution_id: str) -> None:
        """What is offered already, or leased, stays so."""
        try:
            await self._connection().request(self._names.run(execution_id))
        except Rejected as error:
            if error.number != Code.SUBJECT_IS_FULL:
                raise

    async def lease(self) -> "JetStreamLease":
        """Waits for the next one."""
        async with self._one_at_a_time:
            connection = self._connection()
            if self._desk is None or self._desk.connection is not connection:
                self._desk = _Desk(connection, self._names)
                await self._desk.open()
            message = await self._desk.next()
        return JetStreamLease(message, self._connection, self.seconds)

    async def close(self) -> None:
        """What is on its way here is for somebody else."""
        if self._desk is not None:
            await self._desk.close()


class _Desk:
    """Where leases arrive, on one connection. At most one request for one is with the broker."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self.connection = connection
        self._names = names
        self._inbox = connection.new_inbox()
        self._subscription: Subscription | None = None
        self._waiter: asyncio.Future[Msg] | None = None
        self._has_asked = False
        self._heard = 0

    async def open(self) -> None:
        listen = self.connection.listen
        self._subscription = await listen(self._inbox, self._receive, self._lose)

    async def close(self) -> None:
        if self._subscription is not None:
            await self.connection.forget(self._subscription, drained=True)

    async def next(self) -> Msg:
        """
        Raises:
            Unavailable: the connection is lost.
        """
        while True:
            if not self._has_asked:
                await self._ask()
            message = await self._arrived()
            status = None if message is None else _status(message)
            if message is not None and status is None:
                return message
            if status != EXPIRED:
                await asyncio.sleep(PAUSE_SECONDS)
                await self._look()

    async def _look(self) -> None:
        """Something has changed there: another server leads the queue, or it is gone."""
        try:
            await self.connection.ask(f"CONSUMER.INFO.{self._names.runs}.{WORKERS}")
        except Rejected as error:
            if error.number == Code.NO_CONSUMER:
                # What is missing is created where a connection begins.
                self.connection.give_up()
            raise

    async def _ask(self) -> None:
        wanted = {
            "batch": 1,
            "expires": int(EXPIRY_SECONDS * SECOND),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * SECOND),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._names.runs}.{WORKERS}"
        await self.connection.publish(subject, dumps(wanted), self._inbox)
        self._has_asked = True

    async def _arrived(self) -> Msg | None:
        """What the broker sends next; None if it has forgotten that we have asked."""
        waiter: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiter = waiter
        try:
            while True:
                heard = self._heard
                await asyncio.wait([waiter], timeout=SILENCE_SECONDS)
                if waiter.done():
                    return waiter.result()
                if heard == self._heard:
                    self._has_asked = False
                    return None
        except asyncio.CancelledError:
            if waiter.done() and waiter.exception() is None:
                await self._refuse(waiter.result())
            raise
        finally:
            self._waiter = None

    async def _receive(self, message: Msg) -> None:
        self._heard += 1
        if _status(message) == HEARTBEAT:
            return
        self._has_asked = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(message)
        else:
            await self._refuse(message)

    async def _refuse(self, message: Msg) -> None:
        """Whoever has asked is gone: somebody else may have it at once."""
        if message.reply:
            with suppress(Unavailable):
                await self.connection.publish(message.reply, RELEASE)

    def _lose(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Unavailable("the broker has gone"))


class JetStreamLease:
    """A message of the queue that is not offered to others for a while.

    The broker believes whoever answers for a message, also if the lease has run out and somebody
    else has it by now. So nothing is said any more once it may have run out.
    """

    def __init__(self, message: Msg, connection: Callable[[], Connection], seconds: float) -> None:
        self._message = message
        self._connection = connection
        self._seconds = seconds
        self._ends = _now() + seconds

    @property
    def execution_id(self) -> str:
        return self._message.subject.rpartition(".")[2]

    @property
    def age(self) -> float:
        return max(0.0, time.time() - self._message.metadata.timestamp.timestamp())

    async def renew(self) -> None:
        ends = _now() + self._seconds
        if await self._say(RENEW):
            self._ends = ends

    async def settle(self) -> None:
        await self._say(SETTLE)
        self._ends = 0.0

    async def release(self, delay: float = 0.0) -> None:
        wish = dumps({"delay": int(delay * SECOND)})
        await self._say(RELEASE + b" " + wish if delay > 0 else RELEASE)
        self._ends = 0.0

    async def _say(self, word: bytes) -> bool:
        """Whether it is still ours to say."""
        if _now() >= self._ends:
            return False
        connection = self._connection()
        async with patience():
            await (await connection.send(self._message.reply, word))
        return True


def _now() -> float:
    return measured_ns() / SECOND


def _status(message: Msg) -> str | None:
    """Of what is no message, but says something about those that were asked for."""
    return None if message.headers is None else message.headers.get("Status")
