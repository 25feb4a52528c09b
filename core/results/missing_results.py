"""The executions that have ended and have no result file yet, and why."""

import logging
from collections.abc import Sequence

logger = logging.getLogger("runcast.outputs")

MOST_TRIES = 3
"""After so many it is the execution itself of which no file can be made."""


class MissingResults:
    """At most `limit`, in the order of their end; beyond that the oldest are given up.

    The first of them, a new reason, and that there are none any more, is logged.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tries: dict[str, int] = {}
        """How often each was tried in vain for a reason of its own, by id."""
        self._reason: str | None = None

    def __len__(self) -> int:
        return len(self._tries)

    @property
    def problem(self) -> str | None:
        """For people; None if nothing is missing."""
        match len(self):
            case 0:
                return None
            case 1:
                return f"1 result file is missing: {self._reason}"
            case number:
                return f"{number:,} result files are missing: {self._reason}"

    @property
    def oldest(self) -> str:
        """The id of the one to be written next."""
        return next(iter(self._tries))

    @property
    def only_failures(self) -> bool:
        """Whether each was tried in vain, for a reason of its own."""
        return all(self._tries.values())

    def add(self, execution_id: str, reason: str) -> None:
        """It could not be written; that is not its own fault."""
        self._tries.setdefault(execution_id, 0)
        self._bound()
        self._say(reason)

    def add_earlier(self, execution_ids: Sequence[str], reason: str) -> None:
        """These have ended before all of those that are here."""
        if any(id not in self._tries for id in execution_ids):
            self._tries = dict.fromkeys(execution_ids, 0) | self._tries
            self._bound()
            self._say(reason)

    def failed(self, execution_id: str, reason: str) -> None:
        """No file can be made of it now. The others are tried before it is tried again."""
        tries = self._tries.pop(execution_id, 0) + 1
        if tries == MOST_TRIES:
            logger.error("execution %s has no result file: %s", execution_id, reason)
            self._say_if_none()
        else:
            self._tries[execution_id] = tries
            self._bound()
            self._say(reason)

    def discard(self, execution_id: str) -> None:
        """It is written, or has no record any more."""
        if self._tries.pop(execution_id, None) is not None:
            self._say_if_none()

    def _bound(self) -> None:
        while len(self._tries) > self._limit:
            del self._tries[self.oldest]

    def _say(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            logger.warning("%s", self.problem)

    def _say_if_none(self) -> None:
        if not self._tries:
            self._reason = None
            logger.info("no result file is missing any more")
