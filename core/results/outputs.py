"""The folder of result files: one for each execution that has ended."""

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from ..errors import NotFound
from ..execution.model import Execution
from .open_result import ResultFile
from .result_file import NAME, ResultSummary, owner_of, result_content, result_name
from .saved_results import SavedResults

MAX_FILES = 1000
MOST_REMOVED = 10_000
"""Of so many it is known that they were removed, should their file be saved only then."""
PARSED_BYTES = 1 << 20
"""Of a larger file only the two ends are read for the list."""

Stamp: TypeAlias = tuple[int, int]


class Outputs:
    """Saves, lists and reads result files; at most `max_files` are stored, the oldest go first.

    Beside the folder is a file of those that were saved (`SavedResults`), named `<folder>.saved`.

    Everything here waits for the disk: call it in a thread, and one `save` after the other.
    """

    def __init__(self, folder: Path, *, max_files: int = MAX_FILES) -> None:
        self.folder = folder.absolute()
        self.max_files = max_files
        self._saved = SavedResults(self.folder.with_name(f"{self.folder.name}.saved"))
        self._room = 0
        """How many more files fit in without a look at the folder."""
        self._latest = 0
        """The stamp of the newest file, in nanoseconds; 0 before the first look."""
        self._known: dict[str, tuple[Stamp, ResultSummary | None]] = {}
        self._lock = Lock()
        self._removed: dict[str, None] = {}

    def save(self, execution: Execution) -> str:
        """Writes the file of an ended execution, whole or not at all; returns its name.

        Saved again, an execution has the same name, and the new file takes the old one's place.
        Once it was removed, it is not saved any more.

        Raises:
            OSError: the disk is full, or the folder cannot be used.
            InvalidInput: its ids make no safe file name.
        """
        name = result_name(execution)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(name, result_content(execution))
        self._saved.add([execution.id])
        self._remove_oldest()
        return name

    def never_saved(self, execution_ids: Sequence[str]) -> list[str]:
        """Those that never had a file here, in the same order.

        Raises:
            OSError: the folder cannot be read.
        """
        owners = set(map(owner_of, self._names()))
        self._saved.add(id for id in execution_ids if id in owners)
        return self._saved.lacking(execution_ids)

    def remove_leftovers(self) -> None:
        """What was being written when the server before was killed. Never raises."""
        with suppress(OSError):
            for path in self.folder.glob(".result-*.tmp"):
                path.unlink(missing_ok=True)

    def remove(self, execution_ids: Collection[str]) -> None:
        """Removes the files of these executions, also those that are being saved.

        Raises:
            OSError: they cannot be removed.
        """
        with self._lock:
            self._removed |= dict.fromkeys(execution_ids)
            while len(self._removed) > MOST_REMOVED:
                del self._removed[next(iter(self._removed))]
        owners = set(execution_ids)
        for name in [name for name in self._names() if owner_of(name) in owners]:
            (self.folder / name).unlink(missing_ok=True)

    def list(self) -> list[ResultSummary]:
        """What is there, newest first. A file that cannot be read is left out."""
        known = {}
        for name, stamp in self._files():
            seen = self._known.get(name)
            if seen is None or seen[0] != stamp:
                seen = (stamp, self._summary(name))
            known[name] = seen
        self._known = known
        summaries = [summary for _, summary in known.values() if summary is not None]
        return sorted(summaries, key=lambda one: (one.timestamp, one.filename), reverse=True)

    def find(self, filename: str) -> ResultFile:
        """The result file of that name, of any size.

        Raises:
            NotFound: there is none; nothing outside of the folder is one.
        """
        if NAME.fullmatch(filename) is None:
            raise NotFound("Output not found")
        try:
            path = (self.folder / filename).resolve(strict=True)
            if path.parent != self.folder.resolve() or not path.is_file():
                raise NotFound("Output not found")
            return ResultFile.at(path)
        except OSError:
            raise NotFound("Output not found") from None

    def _summary(self, filename: str) -> ResultSummary | None:
        try:
            file = self.find(filename)
            if file.size > PARSED_BYTES:
                return ResultSummary.of_ends(filename, *file.ends(PARSED_BYTES // 4))
            return ResultSummary.read(filename, b"".join(file.read(0, file.size)))
        except (NotFound, OSError, ValueError):
            return None

    def _write(self, name: str, content: bytes) -> None:
        unfinished = self.folder / f".{name}.tmp"
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            stamp = self._next_stamp()
            os.utime(unfinished, ns=(stamp, stamp))
            with self._lock:
                if owner_of(name) not in self._removed:
                    unfinished.replace(self.folder / name)
        finally:
            unfinished.unlink(missing_ok=True)

    def _next_stamp(self) -> int:
        """Later than that of any other file, also after the wall clock was put back.

        The oldest go first, and by what the system stamps them with that may be the newest.
        """
        latest = self._latest or max((stamp for _, (stamp, _) in self._files()), default=0)
        self._latest = max(latest + 1, time.time_ns())
        return self._latest

    def _remove_oldest(self) -> None:
        """Looks at the folder only when it may be full, and makes room for more than one then."""
        self._room -= 1
        if self._room >= 0:
            return
        by_age = sorted((stamp, name) for name, stamp in self._files())
        if len(by_age) > self.max_files:
            surplus = len(by_age) - self.max_files + self.max_files // 20
            for _, name in by_age[:surplus]:
                (self.folder / name).unlink(missing_ok=True)
            by_age = by_age[surplus:]
        self._room = self.max_files - len(by_age)

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        """The result files and what changes when they do; one that goes meanwhile is left out."""
        for entry in self._entries():
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                yield entry.name, (found.st_mtime_ns, found.st_size)

    def _names(self) -> Iterator[str]:
        return (entry.name for entry in self._entries())

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry
