"""Which executions have had a result file: one that somebody has removed is not written again."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

MOST_IDS = 4000


class SavedResults:
    """The ids of the executions, one a line, in a file; the latest `most`, or half of them.

    It never raises: an id that cannot be stored now is stored with a later one, or by whoever next
    finds the result file itself. Waits for the disk: call it in a thread, any one.
    """

    def __init__(self, path: Path, *, most: int = MOST_IDS) -> None:
        self._path = path
        self._most = most
        self._lock = Lock()
        self._ids: dict[str, None] | None = None
        self._is_stored = False
        """Whether the file has all ids, each in a line of its own."""

    def add(self, execution_ids: Iterable[str]) -> None:
        with self._lock:
            known = self._known()
            new = [id for id in execution_ids if id not in known]
            known |= dict.fromkeys(new)
            if len(known) > self._most:
                self._ids = dict.fromkeys(list(known)[-self._most // 2 :])
                self._is_stored = False
            if new:
                self._store(new)

    def lacking(self, execution_ids: Iterable[str]) -> list[str]:
        """Those that are not here, in the same order."""
        with self._lock:
            known = self._known()
            return [id for id in execution_ids if id not in known]

    def _known(self) -> dict[str, None]:
        if self._ids is None:
            self._ids = {}
            with suppress(OSError):
                *lines, rest = self._path.read_text("ascii", "replace").split("\n")
                self._ids = dict.fromkeys(lines)
                # Of a line that was cut off, by a full disk or a kill, nothing is known.
                self._is_stored = not rest
        return self._ids

    def _store(self, new: Iterable[str]) -> None:
        whole, self._is_stored = not self._is_stored, False
        with suppress(OSError):
            if whole:
                unfinished = self._path.with_name(f"{self._path.name}.tmp")
                unfinished.write_bytes(_lines(self._known()))
                unfinished.replace(self._path)
            else:
                with self._path.open("ab") as file:
                    file.write(_lines(new))
            self._is_stored = True


def _lines(ids: Iterable[str]) -> bytes:
    return "".join(f"{id}\n" for id in ids).encode("ascii", "replace")
