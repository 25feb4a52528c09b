"""Lists a folder again and again, without ever waiting long for it."""

import asyncio
from pathlib import Path

from .listing import Listing, Look
from .own_thread import in_own_thread

LOOK_SECONDS = 10.0


class Unanswered(Exception):
    """The file system has not answered in time; `path` is what it was asked about."""

    def __init__(self, path: Path) -> None:
        waited = f"it has not answered for {LOOK_SECONDS:g} s"
        super().__init__(f"{waited}; changes are not seen before it does")
        self.path = path


class Scanner:
    """Lists a folder in a thread of its own: one at a time, even if it hangs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._look = Look(folder)
        self._looking: asyncio.Future[Listing] | None = None

    async def listing(self) -> Listing:
        """Returns what is in the folder now.

        Raises:
            OSError: the folder cannot be read.
            Unanswered: it has not been listed after LOOK_SECONDS.
        """
        if self._looking:
            await self._looked(self._looking)  # It hung, and says what was there earlier.
        self._look = Look(self._folder)
        self._looking = asyncio.ensure_future(in_own_thread(self._look))
        return await self._looked(self._looking)

    def close(self) -> None:
        """Waits no more. A thread that hangs is left behind."""
        if self._looking:
            self._looking.cancel()

    async def _looked(self, looking: "asyncio.Future[Listing]") -> Listing:
        done, _ = await asyncio.wait([looking], timeout=LOOK_SECONDS)
        if not done:
            raise Unanswered(self._folder / self._look.at)
        self._looking = None
        return looking.result()
