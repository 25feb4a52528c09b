"""One connection to the broker, from its login until it is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self, TypeAlias

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from ...errors import InvalidInput, Unavailable
from ...json_value import dumps
from ..tasks import ended
from .answers import answered, patience
from .login import CLOSE_SECONDS, EncryptingClient, connect, disconnect
from .settings import JetStreamSettings, Server

PULSE_SECONDS = 1.0
"""How often the broker is asked whether it is there, and how long that may take."""
HEADER_BYTES = 512
"""What our headers take at most of a message's size."""

Callback: TypeAlias = Callable[[Msg], Awaitable[None]]


def _nothing() -> None:
    """What those do at a loss who hear of it otherwise."""


class Connection:
    """A client that is connected once. `lost` is set when that is over, and stays so.

    The library would connect anew by itself, send then what was not sent before (a request that
    was refused would be done later), and find out only much later which of its subscriptions the
    broker no longer serves. So each connection has a client of its own that ends with it, and
    whoever uses one asks for everything anew on the next.

    All answers to requests come to one subscription. That takes half of the time of the library's
    own way, and who waits for one hears at once that the connection is lost.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.lost = asyncio.Event()
        self._client = EncryptingClient()
        self._subscriptions: dict[Subscription, Callable[[], None]] = {}
        """With what each wants to be done when the connection is lost."""
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._inbox = self._client.new_inbox()
        self._number = 0
        self._pulse: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: JetStreamSettings, server: Server) -> Self:
        """
        Raises:
            Unavailable: the server is not there.
            BrokerRefused: it does not let us in.
        """
        self = cls(server)
        await connect(self._client, settings, server, self._disconnected)
        try:
            await self.listen(f"{self._inbox}.*", self._take_answer)
        except BaseException:
            await self.close()
            raise
        self._pulse = asyncio.create_task(self._beat())
        return self

    def new_inbox(self) -> str:
        return self._client.new_inbox()

    def check_size(self, content: bytes, what: str) -> None:
        """
        Raises:
            InvalidInput: the broker takes no message that is so large.
        """
        most = self._client.max_payload - HEADER_BYTES
        if len(content) > most:
            raise InvalidInput(f"{what} takes {len(content)} bytes, and the broker takes {most}")

    async def listen(
        self, subject: str, callback: Callback, when_lost: Callable[[], None] = _nothing
    ) -> Subscription:
        """Calls back for every message there, in order, until the connection is lost.

        Raises:
            Unavailable: it is lost already.
        """
        self._check()
        try:
            subscription = await self._client.subscribe(subject, cb=callback)
        except (nats.errors.Error, OSError) as error:
            raise Unavailable("the broker is away") from error
        self._subscriptions[subscription] = when_lost
        return subscription

    async def forget(self, subscription: Subscription, *, drained: bool = False) -> None:
        """Ends it; with `drained` what the broker has sent to it is called back before."""
        if self._subscriptions.pop(subscription, None) is not None:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    if drained:
                        await subscription.drain()  # type: ignore[no-untyped-call]
                    else:
                        await subscription.unsubscribe()

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Sends it, and waits for nothing.

        Raises:
            Unavailable: the connection is lost.
        """
        self._check()
        try:
            await self._client.publish(subject, payload, reply, headers)
        except (nats.errors.Error, OSError) as error:
            raise Unavailable("the broker is away") from error

    async def send(
        self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None
    ) -> "asyncio.Future[Msg]":
        """Sends a request. The future has its answer, or Unavailable once the connection is lost.

        Raises:
            Unavailable: it is lost already.
        """
        self._number += 1
        reply = f"{self._inbox}.{self._number}"
        answer = self._waiting[reply] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: self._waiting.pop(reply, None))
        try:
            await self.publish(subject, payload, reply, headers)
        except BaseException:
            answer.cancel()
            raise
        return answer

    async def request(
        self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None
    ) -> Any:
        """
        Returns the JSON of the answer.

        Raises:
            Unavailable: there is none in time.
            Rejected: it is an error.
        """
        async with patience():
            return answered(await (await self.send(subject, payload, headers)))

    async def ask(self, operation: str, **arguments: Any) -> Any:
        """The same for an operation of JetStream's interface, such as `STREAM.PURGE.<name>`."""
        return await self.request(f"$JS.API.{operation}", dumps(arguments))

    def give_up(self) -> None:
        """It is lost from now on."""
        if self.lost.is_set():
            return
        self.lost.set()
        for tell in self._subscriptions.values():
            tell()
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(Unavailable("the broker has gone while it answered"))
                answer.exception()  # Not everybody waits for each answer.

    async def close(self) -> None:
        """Ends everything that belongs to the connection."""
        self.give_up()
        if self._pulse is not None:
            await ended(self._pulse)
        # By ourselves: a client that has messages left to send does not come to that.
        for subscription in list(self._subscriptions):
            await self.forget(subscription)
        await disconnect(self._client)

    async def _take_answer(self, message: Msg) -> None:
        answer = self._waiting.get(message.subject)
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _beat(self) -> None:
        """Notices a broker that neither answers nor ends the connection."""
        with suppress(nats.errors.Error, OSError, TimeoutError):
            while True:
                await asyncio.sleep(PULSE_SECONDS)
                async with asyncio.timeout(PULSE_SECONDS):
                    await self._client.rtt()
        self.give_up()

    async def _disconnected(self) -> None:
        self.give_up()

    def _check(self) -> None:
        if self.lost.is_set():
            raise Unavailable("the broker is away")
