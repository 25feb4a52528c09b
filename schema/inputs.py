"""What clients may ask for."""

from dataclasses import replace
from typing import TypeVar, cast

import strawberry
from strawberry import ID, UNSET

from ..core.execution.filter import ExecutionFilter as CoreFilter
from ..core.execution.model import Status
from ..core.execution.page import Order, OrderField
from .enums import ExecutionOrderField, ExecutionStatus, OrderDirection
from .scalars import DateTime

Value = TypeVar("Value")


def given(value: Value | None) -> Value | None:
    """None for an argument that was left out; Strawberry passes UNSET then."""
    return None if value is UNSET else value


@strawberry.input(description="A label to attach to an execution, or to find executions by.")
class LabelInput:
    key: str = strawberry.field(description="The key.")
    value: str = strawberry.field(description="The value.")


@strawberry.input(
    description="Which executions to return. All conditions that are given must hold."
)
class ExecutionFilter:
    status: list[ExecutionStatus] | None = strawberry.field(
        default=UNSET, description="Its status is one of these."
    )
    not_status: list[ExecutionStatus] | None = strawberry.field(
        default=UNSET, description="Its status is none of these."
    )
    pipeline_id: list[ID] | None = strawberry.field(
        default=UNSET, description="Its pipeline is one of these."
    )
    labels: list[LabelInput] | None = strawberry.field(
        default=UNSET, description="It has all of these labels."
    )
    text: str | None = strawberry.field(
        default=UNSET,
        description="Its id, pipeline name or input preview contains this, in upper or lower case; "
        "at most 200 characters.",
    )
    started_after: DateTime | None = strawberry.field(
        default=UNSET, description="It was started later than this."
    )
    started_before: DateTime | None = strawberry.field(
        default=UNSET, description="It was started earlier than this."
    )

    def to_core(self) -> CoreFilter:
        return CoreFilter(
            status=_statuses(self.status),
            not_status=_statuses(self.not_status),
            pipeline_id=_frozen(self.pipeline_id),
            labels=labels_of(self.labels),
            text=given(self.text) or None,
            started_after=given(self.started_after),
            started_before=given(self.started_before),
        )


@strawberry.input(description="How to sort a list of executions.")
class ExecutionOrder:
    field: ExecutionOrderField = strawberry.field(
        default=ExecutionOrderField.START_TIME, description="What to sort by."
    )
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="The direction of the order."
    )

    def to_core(self) -> Order:
        return Order(OrderField(self.field.name), self.direction is OrderDirection.DESC)


@strawberry.input(description="Options of one execution.")
class StartOptions:
    labels: list[LabelInput] | None = strawberry.field(
        default=UNSET, description="Labels to find it by; at most 32, each key once."
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET,
        description="A second start with this key and the same arguments returns the first one, "
        "for as long as the history has it; with other arguments it is a CONFLICT.",
    )
    timeout_ms: int | None = strawberry.field(
        default=UNSET,
        description="The maximum duration in milliseconds; then it fails with TIMEOUT.",
    )
    execution_mode: str | None = strawberry.field(
        default=UNSET,
        description="How prompt stages reach their model: `api` or `cli`; by default the server "
        "chooses.",
    )


def labels_of(labels: list[LabelInput] | None) -> tuple[tuple[str, str], ...]:
    return tuple((label.key, label.value) for label in given(labels) or ())


def filter_of(filter: ExecutionFilter | None, status: ExecutionStatus | None = None) -> CoreFilter:
    """The filter, and one status besides it."""
    found = (given(filter) or ExecutionFilter()).to_core()
    wanted = given(status)
    if wanted is None:
        return found
    only = frozenset({Status(wanted.name)})
    return replace(found, status=only if found.status is None else found.status & only)


def _statuses(statuses: list[ExecutionStatus] | None) -> frozenset[Status] | None:
    chosen = given(statuses)
    return None if chosen is None else frozenset(Status(one.name) for one in chosen)


def _frozen(ids: list[ID] | None) -> frozenset[str] | None:
    chosen = given(ids)
    return None if chosen is None else frozenset(cast("list[str]", chosen))
