"""What is in a pipelines folder, without opening any of it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .pipeline_file import READERS

ENDINGS = tuple(READERS)
MODULE_ENDING = ".py"

Stamp: TypeAlias = tuple[int, int, int] | None
"""What changes when a file does: its times and its size; None where they cannot be found out."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder at one time, in the order of their names."""

    files: Mapping[str, Stamp]
    """Those that may be pipelines: hidden ones and those with other endings are not."""
    modules: Mapping[str, Stamp]
    """The Python modules, which decide whether a pipeline can run."""
    seconds: float
    """The processor time that it took."""


class Look:
    """One look at a folder. It blocks for as long as the file system does, so not in a loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.at = ""
        """The name of the file that is being looked at: where it hangs, if it does."""

    def __call__(self) -> Listing:
        """Returns what is there. Links are followed.

        Raises:
            OSError: the folder cannot be read.
        """
        begun = time.thread_time()
        files: dict[str, Stamp] = {}
        modules: dict[str, Stamp] = {}
        with os.scandir(self._folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        for entry in sorted(visible, key=lambda entry: entry.name):
            ending = entry.name.lower()
            if ending.endswith(ENDINGS):
                files[entry.name] = self._stamp(entry)
            elif ending.endswith(MODULE_ENDING):
                modules[entry.name] = self._stamp(entry)
        return Listing(files, modules, time.thread_time() - begun)

    def _stamp(self, entry: os.DirEntry[str]) -> Stamp:
        self.at = entry.name
        try:
            status = entry.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size
