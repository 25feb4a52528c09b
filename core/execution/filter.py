"""Which executions a reader wants to see."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import InvalidInput
from .model import Execution, Status

MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """All conditions that are given must hold; None is no condition. Times in epoch ms.

    Raises:
        InvalidInput: the text is too long.
    """

    status: frozenset[Status] | None = None
    not_status: frozenset[Status] | None = None
    pipeline_id: frozenset[str] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    """In id, pipeline name or input preview; case-insensitive, and casefolded here."""
    started_after: int | None = None
    started_before: int | None = None

    def __post_init__(self) -> None:
        if self.text is None:
            return
        if len(self.text) > MOST_TEXT:
            long = f"text can have {MOST_TEXT} characters, not {len(self.text)}"
            raise InvalidInput(long, path=["filter", "text"])
        # Once, and not for each execution that is looked at.
        object.__setattr__(self, "text", self.text.casefold())

    def matches(self, execution: Execution) -> bool:
        return self.admits(execution.status) and self.matches_constants(execution)

    def admits(self, status: Status) -> bool:
        """The part of the filter that an execution can leave or enter while it runs."""
        if self.status is not None and status not in self.status:
            return False
        return self.not_status is None or status not in self.not_status

    @property
    def statuses(self) -> frozenset[Status] | None:
        """Those that it admits; None: all of them."""
        if self.status is None and self.not_status is None:
            return None
        return frozenset(status for status in Status if self.admits(status))

    @property
    def has_constants(self) -> bool:
        """Whether it has conditions on what of an execution never changes."""
        return self.of_any_status() != EVERYTHING

    def matching(self, executions: Sequence[Execution]) -> Sequence[Execution]:
        """Those of the executions that match but for its conditions on the status."""
        if not self.has_constants:
            return executions
        return [one for one in executions if self.matches_constants(one)]

    def counted(
        self, executions: Sequence[Execution]
    ) -> tuple[Sequence[Execution], Counter[Status]]:
        """Those that match, and how many of each status match but for the conditions on that."""
        found = self.matching(executions)
        admitted = [one for one in found if self.admits(one.status)]
        return admitted, Counter(one.status for one in found)

    def of_any_status(self) -> "ExecutionFilter":
        """The same filter without its conditions on the status: what status counts count."""
        return replace(self, status=None, not_status=None)

    def of_any_constants(self) -> "ExecutionFilter":
        """The same filter with its conditions on the status only."""
        return ExecutionFilter(status=self.status, not_status=self.not_status)

    def matches_constants(self, execution: Execution) -> bool:
        """The part of the filter that asks for what never changes."""
        return (
            (self.pipeline_id is None or execution.pipeline_id in self.pipeline_id)
            and (not self.labels or set(self.labels) <= set(execution.labels))
            and (self.started_after is None or execution.started_at > self.started_after)
            and (self.started_before is None or execution.started_at < self.started_before)
            and (self.text is None or _says(execution, self.text))
        )


def _says(execution: Execution, text: str) -> bool:
    said = (execution.id, execution.pipeline_name, execution.input_preview)
    return any(text in words.casefold() for words in said)


EVERYTHING = ExecutionFilter()
