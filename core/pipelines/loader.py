"""Brings what is known of a folder up to date: what has changed is read and checked."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..clock import Clock
from .catalog import File
from .checks import PATIENCE_SECONDS, Check, Checks
from .folder_state import FolderState
from .listing import Listing
from .problem import Problem
from .reader import FileReader, NotRead
from .reading import Reading
from .scanner import Scanner, Unanswered

SLOW_SECONDS = 1.0
RECHECK_SECONDS = 10.0
RETRY_SECONDS = 60.0


class FolderLoader:
    """Looks at a folder, round by round, and puts what its files say into the state.

    The folder is listed in a thread and its files are read in a process, so that nothing that they
    contain, or are links to, holds up anybody. A file that takes more than SLOW_SECONDS does not
    hold up the others either: it is put when it has been read.
    """

    def __init__(
        self,
        folder: Path,
        state: FolderState,
        clock: Clock,
        check: Check | None,
        reader: FileReader,
    ) -> None:
        self.behind = False
        """Whether a file was passed over that one of the next rounds has to read."""
        self._folder = folder
        self._state = state
        self._clock = clock
        self._reader = reader
        self._checks = Checks(check, state.put) if check else None
        self._scanner = Scanner(folder)
        self._reading: dict[str, asyncio.Task[Reading]] = {}
        self._failed: set[str] = set()
        """Those that could not be read, for a reason that may pass."""
        self._modules: object = None
        self._recheck_at = self._retry_at = clock.monotonic()

    async def round(self) -> Listing | None:
        """Looks once, and returns when what has changed is read and checked, or takes long.

        Files that are gone stay until then, so that one that is renamed is there all the time.
        The result is what is there, or None if the folder does not answer.
        """
        self.behind = False
        try:
            listing = await self._scanner.listing()
        except Unanswered as hang:
            self._state.trouble(Problem(hang.path, "", str(hang)))
            self._state.publish()
            return None
        except OSError as error:
            message = f"the folder cannot be read: {error.strerror}"
            listing = Listing({}, {}, 0.0)
            await self._load(listing, Problem(self._folder, "", message))
        else:
            await self._load(listing)
        self._reader.end_idle()
        return listing

    async def _load(self, listing: Listing, *trouble: Problem) -> None:
        gone = self._state.gone(listing.files)
        self._let_go(gone)
        self._recheck(listing)
        earlier = self._running_checks()
        trouble += await self._read_changed(listing)
        await _ended(self._running_checks() - earlier, PATIENCE_SECONDS)
        for name in gone:
            self._state.remove(name)
        self._state.trouble(*trouble)
        self._state.publish()

    async def finish_reading(self) -> None:
        """Returns when the files that take long have been read."""
        await _ended(self._reading.values())

    async def finish_checking(self) -> None:
        """Returns when what has been read has been checked."""
        await _ended(self._running_checks())

    async def close(self) -> None:
        """Ends all that goes on. A thread that hangs is left behind."""
        self._scanner.close()
        for reading in self._reading.values():
            reading.cancel()
        await self.finish_reading()
        if self._checks:
            await self._checks.close()
        await self._reader.close()

    def _let_go(self, gone: Iterable[str]) -> None:
        """Nothing more is to be found out about files that are gone."""
        for name in gone:
            self._state.forget(name)
            self._failed.discard(name)
            self._give_up_check(name)

    def _recheck(self, listing: Listing) -> None:
        """What a check has missed may be there by now, and the file need not have changed."""
        if not self._checks:
            return
        changed, self._modules = listing.modules != self._modules, listing.modules
        now = self._clock.monotonic()
        if not changed and now < self._recheck_at:
            return
        self._recheck_at = now + RECHECK_SECONDS
        if changed:
            for file in self._state.touched_by_modules():
                self._checks.start(file)
        else:
            for file in self._state.doubtful():
                self._checks.again(file)

    async def _read_changed(self, listing: Listing) -> tuple[Problem, ...]:
        """One after the other, those that have failed before last; why not, if it cannot be."""
        self._retry()
        unread = self._state.unread(listing.files)
        for name, stamp in sorted(unread, key=lambda each: each[0] in self._failed):
            if name in self._failed and not self._failed.isdisjoint(self._reading):
                continue  # One of these at a time: what has blocked before may do so again.
            if name in self._reading or self._reader.full:
                self.behind = True
                continue
            try:
                await self._read(File(self._folder / name, stamp))
            except NotRead as error:
                return (Problem(self._folder, "", str(error)),)
        return ()

    def _retry(self) -> None:
        """What could not be read may be read again after a while."""
        now = self._clock.monotonic()
        if now >= self._retry_at:
            self._retry_at = now + RETRY_SECONDS
            for name in self._failed:
                self._state.forget(name)

    async def _read(self, file: File) -> None:
        """Reads a file, or lets it be read if that takes long.

        Raises:
            NotRead: there is no process to read it.
        """
        name = file.path.name
        reading = await self._reader.begin(file.path)
        self._state.expect(name, file.stamp)
        self._give_up_check(name)
        self._reading[name] = reading
        reading.add_done_callback(partial(self._take, file))
        await _ended([reading], SLOW_SECONDS)

    def _take(self, file: File, reading: "asyncio.Task[Reading]") -> None:
        """What the file says, at last."""
        name = file.path.name
        del self._reading[name]
        self._failed.discard(name)
        if reading.cancelled():
            return
        if error := reading.exception():
            self._failed.add(name)
            self._state.put(replace(file, problems=(Problem(file.path, "", str(error)),)))
        elif (said := reading.result()).vanished:
            self._state.forget(name)
            self.behind = True
        elif said.pipeline and self._checks:
            self._checks.start(replace(file, pipeline=said.pipeline))
        else:
            self._state.put(replace(file, pipeline=said.pipeline, problems=said.problems))

    def _give_up_check(self, name: str) -> None:
        if self._checks:
            self._checks.cancel(name)

    def _running_checks(self) -> set["asyncio.Task[None]"]:
        return set(self._checks.running) if self._checks else set()


async def _ended(tasks: Iterable["asyncio.Task[Any]"], seconds: float | None = None) -> None:
    """Returns when all of them have ended, or after so many seconds."""
    if waiting := tuple(tasks):
        await asyncio.wait(waiting, timeout=seconds)
