"""Pipelines folders for tests: their files, files that block, and who opens them."""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from runcast.core.pipelines.library import PipelineLibrary
from server_process import reads_pipelines

STAGE = "  - {{id: s{number}, name: Stage, command: [cat], timeoutMs: 5000}}\n"
BIG_STAGES = 2100
"""As many as make a file of 130 kB, which takes a second to read."""


def put(folder: Path, name: str, id: str, title: str = "Title", stages: int = 1) -> Path:
    """A pipeline file that is valid if its id is."""
    path = folder / name
    head = f"pipeline: {{id: {id}, name: {title}, version: 1.0.0}}\nstages:\n"
    path.write_text(head + "".join(STAGE.format(number=number) for number in range(stages)))
    return path


def ids(library: PipelineLibrary) -> list[str]:
    return [pipeline.id for pipeline in library.all()]


def messages(library: PipelineLibrary) -> list[str]:
    """What is wrong, without the folder."""
    return [str(problem).removeprefix(f"{problem.path.parent}/") for problem in library.problems()]


def reading_processes(parent: psutil.Process | None = None) -> list[psutil.Process]:
    """The processes that read files for the parent; this process, if none is given."""
    children = (parent or psutil.Process()).children(recursive=True)
    return [child for child in children if reads_pipelines(child)]


@contextmanager
def blocking(path: Path) -> Iterator[Callable[[], bool]]:
    """Whoever opens the file waits until the block is left, 45 s at most: a lease, fcntl(2).

    Gives a function that tells whether somebody has tried.
    """
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with path.open("r+") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        try:
            yield lambda: fcntl.fcntl(file, fcntl.F_GETLEASE) != fcntl.F_WRLCK
        finally:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            signal.signal(signal.SIGIO, before)


class Access:
    """What this process does in a folder while the context is open, and in which thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._on = True
        self.opened: list[str] = []
        self.listed: list[str] = []
        """The names of the threads that have listed the folder."""
        sys.addaudithook(self._note)

    def close(self) -> None:
        self._on = False

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._on or event not in ("open", "os.scandir", "os.listdir"):
            return
        if isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.fsdecode(arguments[0])
            if path.startswith(self._folder):
                into = self.opened if event == "open" else self.listed
                into.append(path if event == "open" else threading.current_thread().name)
