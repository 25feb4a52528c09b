"""Receives every change of status and stage, to store it somewhere else."""

from typing import Protocol

from ..execution.model import Execution


class Follower(Protocol):
    """The history, the result files: beside the live state and never in its way."""

    def note(self, execution: Execution) -> None:
        """Takes in the latest state. Never waits, never raises."""

    def departed(self, execution_id: str) -> None:
        """The execution has left the lists. Never waits, never raises."""

    async def committed(self, execution_id: str) -> object:
        """Returns once the state of an execution is stored, or will not be; in bounded time.

        False if it is not stored, and what is known of it would go with this process.
        """


class OwnFiles(Protocol):
    """What is too large for memory."""

    async def own(self, execution: Execution) -> Execution:
        """The same with its large input, and all that it takes over from another execution, in
        files that are its own.

        Raises:
            Unavailable: the files cannot be written; nothing is left of them.
        """
        ...

    async def disown(self, execution_id: str) -> None:
        """Removes what `own` has stored for an execution that is not started after all."""
        ...
