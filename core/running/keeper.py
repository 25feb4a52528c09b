"""Another process that ends what this one has started, should this one be killed."""

import asyncio
import logging
import os
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from .keeper_process import MARK

PROGRAM = Path(__file__).with_name("keeper_process.py")
END_SECONDS = 2.0
AGAIN_SECONDS = 0.5
POLL_SECONDS = 0.01

logger = logging.getLogger("runcast.keeper")


class Keeper:
    """An async context manager: while it is entered, groups that were added have a keeper.

    Nothing in a process that is killed can end its children. `PR_SET_PDEATHSIG` would reach the
    child alone, and not what it has started, and would have to be set between fork and exec, where
    a process with threads must run no Python. So a small process of its own waits for this one to
    close its connection, which at the latest the kernel does. Killed itself, it is replaced.
    """

    def __init__(self) -> None:
        self._id = secrets.token_hex(16)
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        """None: there is no keeper at the moment."""
        self._starting: asyncio.TimerHandle | None = None

    @property
    def mark(self) -> dict[str, str]:
        """For the environment of children: by this, those are found that have left their group."""
        return {MARK: self._id}

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._starting is not None:
            self._starting.cancel()
        self._let_go()
        if (process := self._process) is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while process.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
        process.kill()
        process.wait()

    def add(self, group: int) -> None:
        """From now on the group ends with this process."""
        self._groups.add(group)
        self._say(b"+%d\n" % group)

    def remove(self, group: int) -> None:
        """The group has ended."""
        self._groups.discard(group)
        self._say(b"-%d\n" % group)

    def _say(self, words: bytes) -> None:
        try:
            if self._connection is None or self._connection.send(words) == len(words):
                return
        except OSError:
            pass
        self._replace()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(PROGRAM), self._id],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={name: value for name, value in os.environ.items() if name != MARK},
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            logger.error("children would outlive a server that is killed: no keeper: %s", error)
            self._start_later()
            return
        ours.setblocking(False)
        self._connection = ours
        asyncio.get_running_loop().add_reader(ours, self._replace)
        self._say(b"".join(b"+%d\n" % group for group in self._groups))

    def _replace(self) -> None:
        """It has been killed, or takes nothing any more."""
        logger.warning("the keeper of the processes is gone, and is replaced")
        self._let_go()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._start_later()

    def _start_later(self) -> None:
        self._starting = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._start)

    def _let_go(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None
