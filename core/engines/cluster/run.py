"""One execution that runs in this process, for as long as its lease is ours."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from ...errors import Unavailable
from ...running.stages import Stop
from ..tasks import ended
from .broker import Lease
from .ledger import Ledger


class Run:
    """Renews the lease, brings the events to the broker, and stops the stages when that is due."""

    def __init__(self, lease: Lease, ledger: Ledger, pause: float, grace: float) -> None:
        """`pause`: seconds between two renewals; `grace`: those that a stage has to stop."""
        self.lease = lease
        self.stop = Stop(grace=grace)
        self.is_released = False
        self._ledger = ledger
        self._pause = pause
        self._look = asyncio.Event()

    def hurry(self) -> None:
        """There is something new in the record."""
        self._look.set()

    def adopt(self, lease: Lease) -> None:
        """The lease has run out, and come back to us."""
        self.lease = lease

    def release(self) -> None:
        """Stops it at once, and without an end: somebody else goes on with it."""
        self.is_released = True
        self.stop.force.set()
        self._ledger.close()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Meanwhile the lease is renewed, and what happens is said."""
        tasks = [asyncio.create_task(one) for one in (self._ledger.writing(), self._renewing())]
        try:
            yield
        finally:
            await ended(*tasks)

    async def until_over(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it; what is cancelled by a user, lost or released is stopped first."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                changed = asyncio.create_task(self._ledger.changed.wait())
                await asyncio.wait([task, changed], return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                self._ledger.changed.clear()
                asked = self._ledger.execution.cancellation
                if asked is not None and asked.forced:
                    self.stop.force.set()
                if (asked is not None or self._ledger.is_closed) and not task.cancelling():
                    self._ledger.stopped.set()
                    task.cancel()
        finally:
            task.cancel()
        if not task.cancelled():
            task.result()

    async def _renewing(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._look.wait()
            self._look.clear()
            with suppress(Unavailable):
                await self.lease.renew()
            await self._ledger.check()
