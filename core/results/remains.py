"""What executions leave behind: logs, values and result files, for as long as their record."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from ..execution.model import ID_PREFIX, Execution, StageRun
from .log_position import OUTPUT, STREAMS
from .logs import LogStore
from .outputs import Outputs
from .values import ValueStore

CUT_OFF = "the server went away here\n"


class Remains:
    """The files that belong to the records of the history; see `RecordFiles` there.

    Everything waits for the disk or the network: call it in a thread.
    """

    def __init__(self, logs: LogStore, values: ValueStore, outputs: Outputs | None = None) -> None:
        self._logs = logs
        self._values = values
        self._outputs = outputs

    def interrupted(self, execution: Execution, at: int) -> Execution:
        """The server went away while the execution ran: its log says that it ends there.

        Returns the same with how long the log is, of which the record knows nothing yet.
        """
        stages = tuple(self._interrupted(execution.id, one, at) for one in execution.stages)
        return replace(execution, stages=stages)

    def _interrupted(self, execution_id: str, stage: StageRun, at: int) -> StageRun:
        if not stage.attempts or stage.attempts[-1].ended_at is not None:
            return stage
        try:
            end = self._logs.recover(execution_id, stage.id, stage.attempt, CUT_OFF, at)
        except OSError:
            return stage  # It cannot be read: neither can it be by anybody who asks for it.
        length, output_length = end.characters_of(STREAMS), end.characters_of(OUTPUT)
        return replace(stage, log=replace(stage.log, length=length, output_length=output_length))

    def owners(self) -> set[str]:
        """The executions of which there are logs or values."""
        try:
            found = self._logs.executions() | self._values.executions()
        except OSError:
            return set()  # The next server looks again.
        return {name for name in found if name.startswith(ID_PREFIX)}

    def forgotten(self, execution_ids: Collection[str]) -> None:
        """The history has removed the records of these executions: all of their files go."""
        self.ownerless(execution_ids)
        if self._outputs is not None and execution_ids:
            with suppress(OSError):
                self._outputs.remove(execution_ids)

    def ownerless(self, execution_ids: Collection[str]) -> None:
        """The executions have no record: their logs and values go.

        A result file says on its own what the execution was. It stays where the history was lost.
        """
        for execution_id in execution_ids:
            with suppress(OSError):
                self._logs.remove(execution_id)
                self._values.remove(execution_id)


class SharedRemains:
    """The files in a folder that others write into as well: those of a record go with it.

    Of what has no record nobody knows whether it runs somewhere. See `RecordFiles`.
    """

    def __init__(self, remains: Remains) -> None:
        self._remains = remains

    def interrupted(self, execution: Execution, at: int) -> Execution:
        """As it is: whoever goes on with it sees to its logs."""
        return execution

    def owners(self) -> set[str]:
        """None that is known to be without a record."""
        return set()

    def forgotten(self, execution_ids: Collection[str]) -> None:
        """The history has removed the records of these executions: all of their files go."""
        self._remains.forgotten(execution_ids)

    def ownerless(self, execution_ids: Collection[str]) -> None:
        """Nothing: there are no such owners."""
