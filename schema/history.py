"""What is wrong with the history, as the API shows it."""

from typing import Self

import strawberry
from strawberry import ID

from ..core.history.damage import HistoryProblem as CoreProblem
from .scalars import DateTime


@strawberry.type(description="Something that is wrong with the history.")
class HistoryProblem:
    message: str = strawberry.field(description="What is wrong, in words.")
    execution_id: ID | None = strawberry.field(
        description="The execution that it is about; null if it is about the whole history."
    )
    time: DateTime = strawberry.field(description="When it was noticed.")

    @classmethod
    def of(cls, problem: CoreProblem) -> Self:
        id = problem.execution_id
        return cls(
            message=problem.message,
            execution_id=None if id is None else ID(id),
            time=DateTime(problem.noticed_at),
        )
