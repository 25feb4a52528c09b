"""The pipelines of a folder, as its files are now."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from ..clock import Clock, SystemClock
from ..errors import InvalidInput, NotFound
from .pipeline import Pipeline
from .pipeline_file import READERS, PipelineFileError, Problem, load

__all__ = ["Check", "PipelineFileError", "PipelineLibrary", "Problem", "load"]

RESCAN_SECONDS = 1.0

Check: TypeAlias = Callable[[Pipeline], Iterable[Problem]]
Stamp: TypeAlias = tuple[int, int, int]

log = logging.getLogger("runcast.pipelines")


@dataclass(frozen=True, slots=True)
class _File:
    """What a file came to when it was last read; `stamp` tells whether it has changed since."""

    path: Path
    stamp: Stamp | None
    pipeline: Pipeline | None
    problems: tuple[Problem, ...] = ()
    unchecked: Pipeline | None = None
    """A pipeline that loads, but has not passed the library's check."""


class PipelineLibrary:
    """The pipelines of a folder, in the order of the file names.

    Changed, new and removed files are seen without a restart: on access, at most once per second,
    each file's times and size are looked at, and what has changed is read again. A file that is
    broken is logged once per change and left out. Not for use in several threads at a time.
    """

    def __init__(
        self, folder: Path, clock: Clock | None = None, check: Check | None = None
    ) -> None:
        """Reads the folder.

        `check` may find further problems in a pipeline that has loaded; they leave it out, too.

        Raises:
            InvalidInput: there is no such folder.
        """
        self.folder = folder.absolute()
        self._clock = clock or SystemClock()
        self._check = check
        self._files: dict[Path, _File] = {}
        self._pipelines: tuple[Pipeline, ...] = ()
        self._problems: tuple[Problem, ...] = ()
        _require_folder(self.folder)
        self._rescan()

    def all(self) -> tuple[Pipeline, ...]:
        """Every pipeline that can run."""
        self._refresh()
        return self._pipelines

    def get(self, id: str) -> Pipeline:
        """The pipeline of that id, or else of the file with that stem.

        Raises:
            NotFound: there is none.
        """
        pipelines = self.all()
        by_id = (pipeline for pipeline in pipelines if pipeline.id == id)
        by_stem = (pipeline for pipeline in pipelines if pipeline.path.stem == id)
        for pipeline in chain(by_id, by_stem):
            return pipeline
        raise NotFound("Pipeline not found")

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files that are left out."""
        self._refresh()
        return self._problems

    def _refresh(self) -> None:
        if self._clock.monotonic() - self._scanned_at >= RESCAN_SECONDS:
            self._rescan()

    def _rescan(self) -> None:
        self._scanned_at = self._clock.monotonic()
        try:
            self._hold([self._current(path) for path in _pipeline_files(self.folder)])
        except OSError as error:
            gone = Problem(self.folder, "", f"the folder cannot be read: {error.strerror}")
            self._hold([_File(self.folder, None, None, (gone,))])

    def _current(self, path: Path) -> _File:
        known, stamp = self._files.get(path), _stamp(path)
        if known is None or known.stamp != stamp:
            return self._read(path, stamp)
        # What the check misses may be there by now, and the file need not have changed for that.
        return known if known.unchecked is None else self._checked(path, stamp, known.unchecked)

    def _read(self, path: Path, stamp: Stamp | None) -> _File:
        try:
            pipeline = load(path)
        except PipelineFileError as error:
            return _File(path, stamp, None, error.problems)
        return self._checked(path, stamp, pipeline)

    def _checked(self, path: Path, stamp: Stamp | None, pipeline: Pipeline) -> _File:
        problems = tuple(self._check(pipeline)) if self._check else ()
        if problems:
            return _File(path, stamp, None, problems, unchecked=pipeline)
        return _File(path, stamp, pipeline)

    def _hold(self, files: list[_File]) -> None:
        settled = tuple(_without_twins(files))
        self._pipelines = tuple(file.pipeline for file in settled if file.pipeline)
        problems = tuple(problem for file in settled for problem in file.problems)
        changed = {file.path for file in files if file != self._files.get(file.path)}
        for problem in problems:
            if problem.path in changed or problem not in self._problems:
                log.warning("a pipeline file is left out: %s", problem)
        self._files, self._problems = {file.path: file for file in files}, problems


def _require_folder(folder: Path) -> None:
    if not folder.exists():
        raise InvalidInput(f"the pipelines folder {folder} does not exist")
    if not folder.is_dir():
        raise InvalidInput(f"the pipelines folder {folder} is not a folder")


def _pipeline_files(folder: Path) -> list[Path]:
    """Sorted by name; hidden ones and those with other endings are not pipelines."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in READERS and not path.name.startswith(".")
    )


def _stamp(path: Path) -> Stamp | None:
    """What changes when a file does: its times and its size; None where it cannot be asked."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _without_twins(files: Iterable[_File]) -> Iterator[_File]:
    """The files, with every pipeline left out whose id an earlier file has."""
    owners: dict[str, Path] = {}
    for file in files:
        if file.pipeline is None:
            yield file
            continue
        owner = owners.setdefault(file.pipeline.id, file.path)
        yield file if owner == file.path else _twin(file, file.pipeline.id, owner)


def _twin(file: _File, id: str, owner: Path) -> _File:
    message = f"{owner.name} has the id `{id}` already"
    return replace(file, pipeline=None, problems=(Problem(file.path, "pipeline.id", message),))
