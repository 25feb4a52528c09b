"""A list of executions, page by page (the Relay Cursor Connections specification)."""

from collections.abc import Mapping, Sequence
from typing import Self

import strawberry

from ..core.execution import model
from ..core.execution.model import Status
from ..resolvers.lists import ExecutionPage
from .context import Info
from .enums import ExecutionStatus
from .execution import Execution
from .fair_list import fair_list
from .reads import reads


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether there is more before this page."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge; null on an empty page."
    )


@strawberry.type(description="An execution in a page.")
class ExecutionEdge:
    core: strawberry.Private[model.Execution]

    cursor: str = strawberry.field(
        description="Its position in the list, for `after` and `before`."
    )

    @strawberry.field(
        description="The execution.", metadata=reads(at_once=lambda self, info: self.core)
    )
    def node(self) -> Execution:
        return Execution.of(self.core)

    @classmethod
    def of(cls, item: tuple[str, model.Execution]) -> Self:
        cursor, execution = item
        return cls(core=execution, cursor=cursor)


@strawberry.type(description="The number of executions with a status.")
class StatusCount:
    status: ExecutionStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="The number of executions.")

    @classmethod
    def all(cls, counts: Mapping[Status, int]) -> list[Self]:
        return [cls(status=ExecutionStatus(status), count=n) for status, n in counts.items()]


@strawberry.type(description="A page of a list of executions.")
class ExecutionConnection:
    items: strawberry.Private[Sequence[tuple[str, model.Execution]]]

    @strawberry.field(
        description="The executions of the page, each with its cursor.",
        metadata=reads(at_once=lambda self, info: [ExecutionEdge.of(one) for one in self.items]),
    )
    def edges(self, info: Info) -> list[ExecutionEdge]:
        return fair_list(info, self.items, ExecutionEdge.of)

    @strawberry.field(
        description="The executions of the page, without their cursors.",
        metadata=reads(at_once=lambda self, info: [execution for _, execution in self.items]),
    )
    def nodes(self, info: Info) -> list[Execution]:
        return fair_list(info, [execution for _, execution in self.items], Execution.of)

    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The length of the whole list.")
    status_counts: list[StatusCount] = strawberry.field(
        description="How many executions have each status, ignoring the filter's own statuses."
    )
    cursor: str = strawberry.field(
        description="Pass it as `after` to `executionsChanged` to receive every later change."
    )

    @classmethod
    def of(cls, found: ExecutionPage) -> Self:
        items = found.page.items
        return cls(
            items=items,
            page_info=PageInfo(
                has_next_page=found.page.has_next,
                has_previous_page=found.page.has_previous,
                start_cursor=items[0][0] if items else None,
                end_cursor=items[-1][0] if items else None,
            ),
            total_count=found.total,
            status_counts=StatusCount.all(found.counts),
            cursor=str(found.cursor),
        )
