"""A process group: a child that leads it, and what that has started."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..keeper import Keeper

HAS_PROC = Path("/proc/self/stat").exists()


class ProcessGroup:
    """Is signalled as one. Once it is empty it is left alone: its number may be used again.

    As long as it is not, `keeper` ends it if this process is killed.
    """

    def __init__(self, id: int, keeper: Keeper | None = None) -> None:
        self.id = id
        self._keeper = keeper
        self._empty = False
        if keeper is not None:
            keeper.add(id)

    def signal(self, number: signal.Signals) -> None:
        if not self._empty:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.id, number)

    def runs(self, *, leader: bool) -> bool:
        """Whether anything of it still runs; `leader`: whether its leader has not been reaped."""
        if not self._empty and not leader and not self._has_members():
            self._empty = True
            if self._keeper is not None:
                self._keeper.remove(self.id)
        return not self._empty

    def _has_members(self) -> bool:
        try:
            os.killpg(self.id, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return not HAS_PROC or any(_runs(stat, self.id) for stat in _processes())


def _processes() -> Iterator[str]:
    """What `/proc/<pid>/stat` says of every process: proc(5)."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield entry.read_text(errors="replace")


def _runs(stat: str, group: int) -> bool:
    """Whether a process is of the group and no zombie.

    A zombie runs no more, but stays in its group until its parent reaps it, which the first process
    of a container may never do.
    """
    state, _, of_group = stat.rpartition(")")[2].split()[:3]
    return int(of_group) == group and state not in "ZX"
