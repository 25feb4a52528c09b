"""The pipelines of a folder, as its files are now."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..clock import Clock, SystemClock
from ..errors import InvalidInput
from .checks import Check
from .folder_state import FolderState
from .loader import FolderLoader
from .pipeline import Pipeline
from .problem import Problem
from .reader import FileReader

RESCAN_SECONDS = 1.0
SCAN_SHARE = 0.005
"""How much of a processor looking at the folder may take: a large one is looked at less often."""
START_SECONDS = 3.0

log = logging.getLogger("runcast.pipelines")


class PipelineLibrary:
    """The pipelines of a folder, in the order of the file names.

    While its context is entered, changed, new and removed files are seen without a restart, about
    once per second. Questions are answered at once from the last state; a file that has changed
    counts as it was until it has been read and checked. A file that is broken is logged once per
    change and left out. For use in one event loop.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        check: Check | None = None,
        reader: FileReader | None = None,
    ) -> None:
        """Reads nothing yet.

        `check` may find further problems in a pipeline that has loaded; errors leave it out,
        too. One that takes long leaves it out when it has found them. `reader` is for this library
        alone; a program with much to import may have started it early.

        Raises:
            InvalidInput: there is no such folder.
        """
        self.folder = folder.absolute()
        _require_folder(self.folder)
        self.ready = False
        """Whether all files have been read and checked once, except for those that take long."""
        self._state = FolderState()
        self._loader = FolderLoader(
            self.folder, self._state, clock or SystemClock(), check, reader or FileReader()
        )
        self._asked = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def all(self) -> tuple[Pipeline, ...]:
        """Every pipeline that can run."""
        return self._state.catalog.pipelines

    def get(self, id: str) -> Pipeline:
        """The pipeline of that id, or else of the file with that stem.

        Raises:
            NotFound: there is none.
        """
        return self._state.catalog.get(id)

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the folder and its files: errors leave a file out, warnings do not."""
        return self._state.catalog.problems

    async def __aenter__(self) -> Self:
        """Returns when everything has been read and checked, or after START_SECONDS."""
        self._watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(START_SECONDS):
                await self.settled()
        except TimeoutError:
            self._state.publish()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close()

    async def settled(self) -> None:
        """Returns when all that is in the folder now has been read and checked.

        What cannot be read in time is a problem by then. Only for use while the context is entered.
        """
        while True:
            await self._next_round()
            await self._loader.finish_reading()
            if not self._loader.behind:
                break
        await self._loader.finish_checking()
        self._state.publish()

    async def _next_round(self) -> None:
        """Returns after a look at the folder that begins from now on."""
        over = asyncio.get_running_loop().create_future()
        self._waiting.append(over)
        self._asked.set()
        await over

    async def _watch(self) -> None:
        served: list[asyncio.Future[None]] = []
        try:
            while True:
                served, self._waiting = self._waiting, []
                self._asked.clear()
                pause = await self._round()
                _release(served)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._asked.wait()
        finally:
            _release(served + self._waiting)

    async def _round(self) -> float:
        """The seconds until the next one is due."""
        try:
            listing = await self._loader.round()
        except Exception:
            log.exception("the pipelines folder could not be looked at")
            listing = None
        if listing is None:
            return RESCAN_SECONDS
        self.ready = self.ready or not self._loader.behind
        return max(RESCAN_SECONDS, listing.seconds / SCAN_SHARE)

    async def _close(self) -> None:
        self._watching.cancel()
        await asyncio.wait([self._watching])
        await self._loader.close()
        self._state.close()


def _release(waiting: "list[asyncio.Future[None]]") -> None:
    for over in waiting:
        if not over.done():
            over.set_result(None)


def _require_folder(folder: Path) -> None:
    if not folder.exists():
        raise InvalidInput(f"the pipelines folder {folder} does not exist")
    if not folder.is_dir():
        raise InvalidInput(f"the pipelines folder {folder} is not a folder")
