"""Which executions a reader wants to see."""

from dataclasses import dataclass, replace

from .model import Execution, Status


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Everything that is given must hold; None gives no condition. Times in epoch ms."""

    status: frozenset[Status] | None = None
    not_status: frozenset[Status] | None = None
    pipeline_id: frozenset[str] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    """In id, pipeline name or input preview; case-insensitive."""
    started_after: int | None = None
    started_before: int | None = None

    def matches(self, execution: Execution) -> bool:
        return self.admits(execution.status) and self._matches_constants(execution)

    def admits(self, status: Status) -> bool:
        """The part of the filter that an execution can leave or enter while it runs."""
        if self.status is not None and status not in self.status:
            return False
        return self.not_status is None or status not in self.not_status

    def of_any_status(self) -> "ExecutionFilter":
        """The same filter without its conditions on the status: what status counts count."""
        return replace(self, status=None, not_status=None)

    def _matches_constants(self, execution: Execution) -> bool:
        return (
            (self.pipeline_id is None or execution.pipeline_id in self.pipeline_id)
            and all(label in execution.labels for label in self.labels)
            and (self.started_after is None or execution.started_at > self.started_after)
            and (self.started_before is None or execution.started_at < self.started_before)
            and (self.text is None or self._is_said_in(execution))
        )

    def _is_said_in(self, execution: Execution) -> bool:
        wanted = (self.text or "").casefold()
        said = (execution.id, execution.pipeline_name, execution.input_preview)
        return any(wanted in words.casefold() for words in said)


EVERYTHING = ExecutionFilter()
