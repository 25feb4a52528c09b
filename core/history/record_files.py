"""What belongs to a record and is not in the database."""

from collections.abc import Collection
from typing import Protocol

from ..execution.model import Execution


class RecordFiles(Protocol):
    """Logs, values and result files: they go when their record goes.

    Called in a thread; waits for a disk.
    """

    def interrupted(self, execution: Execution, at: int) -> Execution:
        """The server went away while the execution ran, which is noticed `at` epoch ms.

        Its logs then say so; returns the same execution with how long they are.
        """
        ...

    def owners(self) -> Collection[str]:
        """The executions that have files which are of no use without a record."""
        ...

    def forgotten(self, execution_ids: Collection[str]) -> None:
        """The records of these executions were removed: so are all of their files."""
        ...

    def ownerless(self, execution_ids: Collection[str]) -> None:
        """These `owners` have no record; perhaps because the history was lost."""
        ...
