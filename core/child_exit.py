"""The end of a child process, noticed and reaped."""

import asyncio
import os
from contextlib import suppress
from subprocess import Popen
from threading import Thread


class ChildExit:
    """Of one child that `subprocess` has started; to be made in the event loop.

    Children are started by `subprocess`, and not by the event loop: uvloop forks the whole server,
    which takes ten times as long as `subprocess` with its vfork, and lets children inherit what is
    not marked otherwise, and the other ends of their own pipes as well.
    """

    def __init__(self, process: "Popen[bytes]") -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._come = asyncio.Event()
        try:
            descriptor = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # Not Linux, an old one, or no descriptor is left.
            Thread(target=self._reap_in_thread, daemon=True).start()
        else:
            self._loop.add_reader(descriptor, self._reap, descriptor)

    @property
    def has_come(self) -> bool:
        """Whether the child has ended and its status has been taken."""
        return self._come.is_set()

    async def status(self) -> int:
        """Its exit status, negative for a signal, as soon as it has ended."""
        await self._come.wait()
        return self._process.returncode

    def _reap(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
        self._process.wait()
        self._come.set()

    def _reap_in_thread(self) -> None:
        self._process.wait()
        with suppress(RuntimeError):  # The loop may have been closed meanwhile.
            self._loop.call_soon_threadsafe(self._come.set)
