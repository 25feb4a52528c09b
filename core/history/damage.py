"""What is damaged in the history, for people."""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..clock import Clock

logger = logging.getLogger("runcast.history")

MOST = 1000
"""So many are named; of more, it is known that there are more."""
SHOWN = 3
REPAIR = "stop the server, and use `runcast history repair`"


@dataclass(frozen=True, slots=True)
class HistoryProblem:
    """What was noticed, and when in epoch ms; of one execution or of the whole history."""

    message: str
    noticed_at: int
    execution_id: str | None = None


class Damages:
    """The records that cannot be read, and what was lost when the file was rebuilt.

    May be used by several threads. `remedy` says what can be done about the records.
    """

    def __init__(self, clock: Clock, remedy: str = REPAIR) -> None:
        self._clock = clock
        self._remedy = remedy
        self._lock = threading.Lock()
        self._damaged: dict[str, HistoryProblem] = {}
        self._lost: dict[str, HistoryProblem] = {}

    @property
    def problem(self) -> str | None:
        """Which records cannot be read; None if there is none."""
        with self._lock:
            ids = list(self._damaged)
        if not ids:
            return None
        which = ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
        number = "1 record is" if len(ids) == 1 else f"{len(ids)} records are"
        return f"{number} damaged ({which}): {self._remedy}"

    def all(self) -> list[HistoryProblem]:
        """What is damaged now, and what was lost since the start; at most MOST of each."""
        with self._lock:
            return [*self._damaged.values(), *self._lost.values()]

    def note(self, execution_id: str, reason: str) -> None:
        """The record of an execution cannot be read."""
        with self._lock:
            if execution_id in self._damaged or len(self._damaged) >= MOST:
                return
            self._damaged[execution_id] = self._of(f"its record is damaged: {reason}", execution_id)
        logger.error("the record of %s is damaged: %s", execution_id, reason)

    def mended(self, execution_ids: Iterable[str]) -> None:
        """They have been written anew, or have gone."""
        with self._lock:
            if self._damaged:
                for execution_id in execution_ids:
                    self._damaged.pop(execution_id, None)

    def rebuilt(self, lost: Mapping[str, str], aside: str) -> None:
        """The file has been rebuilt: nothing in it is damaged any more."""
        with self._lock:
            self._damaged.clear()
            for execution_id, what in lost.items():
                if len(self._lost) < MOST:
                    message = f"{what}: the damaged file is {aside}"
                    self._lost[execution_id] = self._of(message, execution_id)

    def forget(self) -> None:
        """There is another file."""
        with self._lock:
            self._damaged.clear()

    def _of(self, message: str, execution_id: str) -> HistoryProblem:
        return HistoryProblem(message, self._clock.now(), execution_id)
