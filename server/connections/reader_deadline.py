"""How long a client may take nothing of what is sent to it."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, NamedTuple, Protocol

logger = logging.getLogger("runcast.connections")

PIECE = 50
"""So many connections are looked at in a millisecond or two."""


class Sender(Protocol):
    """A connection over which something is sent."""

    @property
    def written(self) -> int:
        """How many bytes were sent."""

    @property
    def taken(self) -> int:
        """How many bytes the client has taken of all that was sent to it."""

    @property
    def untaken(self) -> int:
        """How many bytes it has not taken yet."""

    def abort(self) -> None:
        """Ends it at once."""


class Look(NamedTuple):
    """What was seen of a client when it had last taken something."""

    taken: int
    at: float


class ReaderDeadline:
    """Cuts clients off that take nothing for ten seconds, although something waits for them.

    uvicorn waits for them for ever: `transport.close()` sends what is left before it closes. A slow
    client that takes a little now and then stays. The system's own TCP_USER_TIMEOUT does not see
    that little if the window of the client is smaller than a packet.
    """

    stalled_seconds: ClassVar = 10.0
    look_seconds: ClassVar = 2.0

    def __init__(self) -> None:
        self._looks: dict[Sender, Look] = {}
        self._is_looking = False
        """Whether it looks, or is going to."""

    def watch(self, sender: Sender) -> None:
        """Something is about to be sent; what came before may not have been taken yet.

        Of a client that is not looked at it has been taken: only then it is left alone. So the
        system, which takes its time to answer, is not asked for each message.
        """
        if sender not in self._looks:
            loop = asyncio.get_running_loop()
            if not self._is_looking:
                self._is_looking = True
                loop.call_later(self.look_seconds, self._look)
            self._looks[sender] = Look(sender.written, loop.time())

    def forget(self, sender: Sender) -> None:
        """It has ended."""
        self._looks.pop(sender, None)

    def _look(self) -> None:
        self._look_at_some(iter(list(self._looks.items())))

    def _look_at_some(self, looks: Iterator[tuple[Sender, Look]]) -> None:
        """There may be thousands: others have their turn in between."""
        loop = asyncio.get_running_loop()
        some = list(islice(looks, PIECE))
        for sender, before in some:
            if self._looks.get(sender) is before:
                self._look_at(sender, before, loop.time())
        if some:
            loop.call_soon(self._look_at_some, looks)
        elif self._looks:
            loop.call_later(self.look_seconds, self._look)
        else:
            self._is_looking = False

    def _look_at(self, sender: Sender, before: Look, now: float) -> None:
        if not sender.untaken:
            del self._looks[sender]
        elif (taken := sender.taken) > before.taken:
            self._looks[sender] = Look(taken, now)
        elif now - before.at >= self.stalled_seconds:
            del self._looks[sender]
            logger.info("a client that took nothing for %d s is cut off", self.stalled_seconds)
            sender.abort()


if sys.platform == "linux":
    import fcntl
    import termios

    def untaken_by_the_system(descriptor: int) -> int:
        """How many bytes the system has that the other side has not acknowledged.

        It takes up to 4 MB of what is written before anybody here notices.
        """
        size = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(size, sys.byteorder)

else:

    def untaken_by_the_system(descriptor: int) -> int:
        """0, as it is not known."""
        return 0
