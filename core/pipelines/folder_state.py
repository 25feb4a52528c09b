"""What is known of the files of a folder, and the catalog that is made of it."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from .catalog import Catalog, File
from .listing import Stamp
from .problem import Problem, Severity

BATCH_SECONDS = 0.5

MESSAGES = {
    Severity.ERROR: "a pipeline file is left out: %s",
    Severity.WARNING: "a pipeline file may not do what is meant: %s",
}

log = logging.getLogger("runcast.pipelines")


class FolderState:
    """Takes files as they are read, and publishes them together: at the latest after BATCH_SECONDS.

    Which stamps are expected decides what is taken: what was read of a file that has changed or
    gone since is passed over.
    """

    def __init__(self) -> None:
        self.catalog = Catalog()
        """What was published last."""
        self._files: dict[str, File] = {}
        self._expected: dict[str, Stamp] = {}
        self._trouble: tuple[Problem, ...] = ()
        self._to_log: set[Path] = set()
        self._publication: asyncio.TimerHandle | None = None

    def unread(self, files: Mapping[str, Stamp]) -> list[tuple[str, Stamp]]:
        """Those of the files that are new or have changed."""
        expected = self._expected
        return [
            (name, stamp)
            for name, stamp in files.items()
            if name not in expected or expected[name] != stamp
        ]

    def expect(self, name: str, stamp: Stamp) -> None:
        """The file of that name is being read, as it is with that stamp."""
        self._expected[name] = stamp

    def forget(self, name: str) -> None:
        """The file of that name has to be read again. What it said last is still shown."""
        self._expected.pop(name, None)

    def gone(self, files: Mapping[str, Stamp]) -> set[str]:
        """The names of those that are known, and not among the files any more."""
        known = (self._expected, self._files)
        return {name for names in known for name in names if name not in files}

    def put(self, file: File) -> None:
        """Takes what a file says."""
        name = file.path.name
        if name not in self._expected or self._expected[name] != file.stamp:
            return
        known = self._files.get(name)
        if known == file:
            return
        if known is None or (known.stamp, known.problems) != (file.stamp, file.problems):
            self._to_log.add(file.path)
        self._files[name] = file
        self._publish_later()

    def remove(self, name: str) -> None:
        """The file of that name is not shown any more."""
        self._expected.pop(name, None)
        if self._files.pop(name, None):
            self._publish_later()

    def trouble(self, *problems: Problem) -> None:
        """What is wrong with the folder as a whole, from now on."""
        if problems != self._trouble:
            self._trouble = problems
            self._publish_later()

    def doubtful(self) -> list[File]:
        """The files that load, but of which the library's check has found something."""
        return [file for file in self._files.values() if file.doubtful]

    def touched_by_modules(self) -> list[File]:
        """Those, and the files whose pipelines call functions."""
        files = self._files.values()
        return [file for file in files if file.doubtful or file.calls_functions]

    def publish(self) -> None:
        """Shows what is known now, if it is not shown yet, and logs what is new in the problems."""
        if self._publication:
            self._publication.cancel()
            self._publication = None
            before = frozenset(self.catalog.problems)
            self.catalog = Catalog.of(self._files, self._trouble)
            self._log(before)

    def close(self) -> None:
        """Publishes nothing more by itself."""
        if self._publication:
            self._publication.cancel()

    def _publish_later(self) -> None:
        if self._publication is None:
            loop = asyncio.get_running_loop()
            self._publication = loop.call_later(BATCH_SECONDS, self.publish)

    def _log(self, before: frozenset[Problem]) -> None:
        for problem in self.catalog.problems:
            if problem in self._trouble and problem not in before:
                log.warning("the pipelines folder is not up to date: %s", problem)
            elif problem.path in self._to_log or problem not in before:
                log.warning(MESSAGES[problem.severity], problem)
        self._to_log.clear()
