"""The way to the broker, which is built anew whenever it breaks."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ...errors import Unavailable
from .connection import Connection
from .refused import BrokerRefused
from .settings import JetStreamSettings

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
REMINDER_SECONDS = 60.0
"""How often it is said that the broker is still not there."""

logger = logging.getLogger("runcast.broker")


class Link:
    """Has a connection, or looks for one.

    `prepare` does on each connection what must be done before anything else.
    """

    def __init__(
        self, settings: JetStreamSettings, prepare: Callable[[Connection], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._prepare = prepare
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._said_at: float | None = None

    @property
    def is_up(self) -> bool:
        return self._connection is not None and not self._connection.lost.is_set()

    def is_up_on(self, connection: Connection | None) -> bool:
        """Whether that is the connection, and not one that was lost."""
        return self.is_up and self._connection is connection

    @property
    def connection(self) -> Connection:
        """The present one; it may just have been lost.

        Raises:
            Unavailable: there is none now.
        """
        if self._connection is None:
            raise Unavailable("the broker is away")
        return self._connection

    async def connected(self) -> Connection:
        """The connection, as soon as there is one."""
        while not self.is_up:
            self._connected.clear()
            await self._connected.wait()
        return self.connection

    async def begin(self) -> None:
        """Tries a few times: who is refused may see the connection's end, and not the reason.

        Raises:
            BrokerRefused: there is no use in trying again.
        """
        for _ in range(ATTEMPTS):
            with suppress(Unavailable):
                return await self._try()
            await asyncio.sleep(FIRST_PAUSE_SECONDS)

    async def keep(self) -> None:
        """Connects, and connects anew whenever the connection is lost, for ever."""
        while True:
            await self._find()
            connection = self.connection
            await connection.lost.wait()
            logger.warning("the connection to the broker at %s is lost", connection.server)
            await connection.close()
            self._connection = None  # Not before: whoever leaves meanwhile ends it, too.
            # Not all at once: everybody has lost the broker at the same moment.
            await asyncio.sleep(random.uniform(0, FIRST_PAUSE_SECONDS))

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _find(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self.is_up:
            try:
                await self._try()
            except BrokerRefused as error:
                # It was there before, or comes late: somebody may be about to set it right.
                self._say(error.message)
                pause = LONGEST_PAUSE_SECONDS
            except Unavailable:
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _try(self) -> None:
        try:
            self._connection = await self._reached()
        except Unavailable as error:
            self._say(error.message)
            raise
        self._connected.set()
        self._said_at = None
        logger.info("connected to the broker at %s", self._connection.server)

    async def _reached(self) -> Connection:
        """The first server that can be reached; a cluster needs only one of them."""
        failure: Unavailable | None = None
        for server in random.sample(self._settings.servers, len(self._settings.servers)):
            try:
                connection = await Connection.open(self._settings, server)
            except Unavailable as error:
                failure = error
                continue
            try:
                await self._prepare(connection)
            except Unavailable as error:
                await connection.close()
                failure = error
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        assert failure is not None
        raise failure

    def _say(self, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._said_at is None or now - self._said_at >= REMINDER_SECONDS:
            self._said_at = now
            logger.warning("%s; trying again", reason)
