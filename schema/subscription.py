"""What can be followed."""

from collections.abc import AsyncGenerator, Hashable
from functools import partial
from typing import Annotated, Any, Self, cast

import strawberry
from strawberry import ID, UNSET

from ..core.execution.change import Change
from ..core.execution.cursor import Cursor
from ..core.execution.events import ChangeKind
from ..core.execution.log import LogStream
from ..core.live import listing
from ..core.live.deliveries import Taker
from ..core.live.feed import BURST, MESSAGES_PER_SECOND
from ..resolvers.executions import (
    check_cursor,
    check_execution,
    follow_execution,
    watch_executions,
)
from ..resolvers.logs import OutputPiece
from .connection import StatusCount
from .context import Info
from .enums import ExecutionStatus, ListChange, ProgressEvent
from .errors import as_graphql_errors
from .execution import Execution
from .following import Following, all_items
from .inputs import ExecutionFilter, filter_of, given
from .log import LogPiece
from .scalars import DateTime
from .stage import Stage, StageOutput

argument = strawberry.argument


@strawberry.type(
    description="A message of `executionProgress`. Each carries the whole state as of its sequence "
    "number, so that the latest one is always enough."
)
class ExecutionProgress:
    event: ProgressEvent = strawberry.field(description="The kind of event.")
    id: ID = strawberry.field(description="The id of the execution.")
    sequence: int = strawberry.field(
        description="The sequence number of the event; it increases by one with each event."
    )
    cursor: str = strawberry.field(description="Pass it as `after` to resume from here.")
    at: DateTime = strawberry.field(description="When it happened.")
    status: ExecutionStatus = strawberry.field(description="The status of the execution.")
    current_stage: int = strawberry.field(
        description="The number of the latest stage that has started, from 1; 0 before the first."
    )
    total_stages: int = strawberry.field(description="The number of stages.")
    execution: Execution = strawberry.field(description="The execution as of this event.")
    stage: Stage | None = strawberry.field(
        description="The stage that changed or wrote output; null for other events."
    )
    output: StageOutput | None = strawberry.field(
        description="OUTPUT: the new piece, if it is of stdout; otherwise null."
    )
    log: LogPiece | None = strawberry.field(
        description="OUTPUT: the new piece, of any stream; otherwise null. Of a flood only the "
        "end is sent, as its offset shows; `Stage.log` has all of it."
    )
    missed_events: int | None = strawberry.field(
        description="RESET: how many messages were lost; null if unknown, and for other events."
    )

    @classmethod
    def of(cls, change: Change, cursor: Cursor) -> Self:
        execution = change.execution
        stage = None if change.stage is None else execution.stages[change.stage]
        output = log = None
        if stage is not None and change.piece is not None:
            log = LogPiece.of(stage.id, stage.attempt, change.piece)
            if change.piece.stream is LogStream.STDOUT:
                offset, text = change.output_offset, change.piece.text
                output = StageOutput.of(stage, OutputPiece(offset, text, False, False))
        return cls(
            event=ProgressEvent(change.kind),
            id=ID(execution.id),
            sequence=execution.sequence,
            cursor=str(cursor),
            at=DateTime(change.at),
            status=ExecutionStatus(execution.status),
            current_stage=execution.current_stage,
            total_stages=execution.total_stages,
            execution=Execution.of(execution),
            stage=None if change.stage is None else Stage.numbered(execution, change.stage),
            output=output,
            log=log,
            missed_events=change.missed,
        )


@strawberry.type(description="A message of `executionsChanged`.")
class ExecutionsChange:
    change: ListChange = strawberry.field(description="What changed in the list.")
    execution: Execution | None = strawberry.field(
        description="The execution that entered, changed or left; null for CAUGHT_UP and RESET."
    )
    status_counts: list[StatusCount] = strawberry.field(
        description="How many executions have each status, ignoring the filter's own statuses."
    )
    cursor: str = strawberry.field(description="Pass it as `after` to resume from here.")

    @classmethod
    def of(cls, change: listing.ExecutionsChange, cursor: Cursor) -> Self:
        execution = change.execution
        return cls(
            change=ListChange(change.kind),
            execution=None if execution is None else Execution.of(execution),
            status_counts=StatusCount.all(change.counts),
            cursor=str(cursor),
        )


@strawberry.type(description="Follows executions as they change.")
class Subscription:
    # Coroutines that return a generator, not generators: an error then is one of the
    # operation, sent before any message, as the graphql-transport-ws protocol wants it.

    @strawberry.subscription(
        description="Sends a snapshot, then every event in order, and completes when the execution "
        "has ended. Disconnecting does not cancel the execution."
    )
    async def execution_progress(
        self,
        info: Info,
        id: Annotated[ID, argument(description="The id of the execution.")],
        after: Annotated[
            str | None,
            argument(description="A cursor to resume from, with the event after it."),
        ] = UNSET,
        include_output: Annotated[
            bool, argument(description="Whether OUTPUT messages are sent.")
        ] = True,
    ) -> AsyncGenerator[ExecutionProgress, None]:
        ctx = info.context.ctx
        with as_graphql_errors():
            await check_execution(ctx, id, given(after))
        return _stream(
            Following(
                partial(follow_execution, ctx, id, given(after)),
                lambda change: ExecutionProgress.of(change, ctx.manager.cursor(change.execution)),
                all_items if include_output else _is_no_output,
            )
        )

    @strawberry.subscription(
        description="Sends ENTERED for each match, CAUGHT_UP, then changes of the filtered list "
        f"as they happen: at most {BURST} at once and {MESSAGES_PER_SECOND} a second. Of an "
        "execution that changes faster, only the latest state is sent; executions that enter, "
        "leave or change their status go first. "
        "After a cursor, ENTERED may name an execution that you already have, UPDATED and LEFT "
        "one that you do not have."
    )
    async def executions_changed(
        self,
        info: Info,
        filter: Annotated[
            ExecutionFilter | None, argument(description="Only executions that match.")
        ] = UNSET,
        after: Annotated[
            str | None,
            argument(
                description="A cursor to resume from: only later changes are sent before CAUGHT_UP."
            ),
        ] = UNSET,
    ) -> AsyncGenerator[ExecutionsChange, None]:
        ctx = info.context.ctx
        wanted, cursor = filter_of(filter), given(after)
        with as_graphql_errors():
            check_cursor(cursor)

        async def begin(
            taker: Taker[listing.ExecutionsChange] | None,
        ) -> AsyncGenerator[listing.ExecutionsChange, None]:
            return watch_executions(ctx, wanted, cursor, taker)

        return _stream(
            Following(
                begin,
                lambda change: ExecutionsChange.of(change, ctx.manager.list_cursor(change.version)),
                key=_what_it_says,
            )
        )


def _what_it_says(change: listing.ExecutionsChange) -> Hashable:
    """Each reader of the list has a change of its own, and most of them say the same."""
    return change.kind, id(change.execution), change.version, *change.counts.values()


def _is_no_output(change: Change) -> bool:
    return change.kind is not ChangeKind.OUTPUT


def _stream(following: Following[Any]) -> AsyncGenerator[Any, None]:
    """Strawberry wants the type of a generator; graphql-core takes whatever can be iterated."""
    return cast("AsyncGenerator[Any, None]", following)
