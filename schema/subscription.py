"""What can be followed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from ..core.execution.change import Change
from ..core.execution.cursor import Cursor
from ..core.execution.events import ChangeKind
from ..core.execution.log import LogStream
from ..core.live import listing
from ..core.live.feed import BURST, MESSAGES_PER_SECOND
from ..resolvers.context import Context
from ..resolvers.executions import follow_execution, watch_executions
from ..resolvers.logs import OutputPiece
from .connection import StatusCount
from .context import Info
from .enums import ExecutionStatus, ListChange, ProgressEvent
from .errors import as_graphql_errors
from .execution import Execution
from .inputs import ExecutionFilter, filter_of, given
from .log import LogPiece
from .scalars import DateTime
from .stage import Stage, StageOutput

argument = strawberry.argument


@strawberry.type(
    description="One message of `executionProgress`. Each carries the state as of its sequence, "
    "so the latest one is always enough."
)
class ExecutionProgress:
    event: ProgressEvent = strawberry.field(description="What has happened.")
    id: ID = strawberry.field(description="The execution.")
    sequence: int = strawberry.field(
        description="The number of the event; each one's is one higher than the last one's."
    )
    cursor: str = strawberry.field(
        description="Subscribe with `after` set to this and go on from here."
    )
    at: DateTime = strawberry.field(description="When it happened.")
    status: ExecutionStatus = strawberry.field(description="Where the execution is.")
    current_stage: int = strawberry.field(
        description="The number of the latest stage that has begun, from 1; 0 before the first."
    )
    total_stages: int = strawberry.field(description="How many stages there are.")
    execution: Execution = strawberry.field(description="The execution as of this event.")
    stage: Stage | None = strawberry.field(
        description="STAGE_CHANGED and OUTPUT: the stage that it is about."
    )
    output: StageOutput | None = strawberry.field(
        description="OUTPUT: the piece that is new, if it is of stdout."
    )
    log: LogPiece | None = strawberry.field(
        description="OUTPUT: the piece that is new, of any stream. Of a flood only the end is "
        "sent, which its offset tells; `Stage.log` has all of it."
    )
    missed_events: int | None = strawberry.field(
        description="RESET: how many messages were lost, if known."
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


@strawberry.type(description="One message of `executionsChanged`.")
class ExecutionsChange:
    change: ListChange = strawberry.field(description="What has happened to the list.")
    execution: Execution | None = strawberry.field(
        description="The execution that came, changed or left; null for CAUGHT_UP and RESET."
    )
    status_counts: list[StatusCount] = strawberry.field(
        description="How many executions have each status, the filter's own statuses left aside."
    )
    cursor: str = strawberry.field(
        description="Subscribe with `after` set to this and go on from here."
    )

    @classmethod
    def of(cls, change: listing.ExecutionsChange, cursor: Cursor) -> Self:
        execution = change.execution
        return cls(
            change=ListChange(change.kind),
            execution=None if execution is None else Execution.of(execution),
            status_counts=StatusCount.all(change.counts),
            cursor=str(cursor),
        )


@strawberry.type(description="What can be followed.")
class Subscription:
    # Coroutines that return a generator, not generators: an error then is one of the
    # operation, sent before any message, as the graphql-transport-ws protocol wants it.

    @strawberry.subscription(
        description="A snapshot, then every event in order, then complete when the execution has "
        "ended. A disconnect never cancels it."
    )
    async def execution_progress(
        self,
        info: Info,
        id: Annotated[ID, argument(description="Which execution.")],
        after: Annotated[
            str | None,
            argument(description="A cursor: begin with the event that follows it."),
        ] = UNSET,
        include_output: Annotated[
            bool, argument(description="Whether OUTPUT messages are sent.")
        ] = True,
    ) -> AsyncGenerator[ExecutionProgress, None]:
        ctx = info.context.ctx
        with as_graphql_errors():
            changes = await follow_execution(ctx, id, given(after))
        return _progress(ctx, changes, include_output)

    @strawberry.subscription(
        description="ENTERED for each match, CAUGHT_UP, then the changes of the filtered list as "
        f"they happen: at most {BURST} at once and {MESSAGES_PER_SECOND} a second. Of an execution "
        "that changes faster only the latest state is told; what enters, leaves or has another "
        "status goes first. "
        "After a cursor, ENTERED may name an execution that you have, UPDATED and LEFT one that "
        "you have not."
    )
    async def executions_changed(
        self,
        info: Info,
        filter: Annotated[
            ExecutionFilter | None, argument(description="Only those that match.")
        ] = UNSET,
        after: Annotated[
            str | None,
            argument(description="A cursor: only what has changed since then is told first."),
        ] = UNSET,
    ) -> AsyncGenerator[ExecutionsChange, None]:
        ctx = info.context.ctx
        with as_graphql_errors():
            changes = watch_executions(ctx, filter_of(filter), given(after))
        return _list_changes(ctx, changes)


async def _progress(
    ctx: Context, changes: AsyncGenerator[Change, None], include_output: bool
) -> AsyncGenerator[ExecutionProgress, None]:
    async with aclosing(changes):
        async for change in changes:
            if include_output or change.kind is not ChangeKind.OUTPUT:
                # Before each: what one change costs is spent when graphql-core has it.
                await ctx.loop_budget.checkpoint()
                yield ExecutionProgress.of(change, ctx.manager.cursor(change.execution))


async def _list_changes(
    ctx: Context, changes: AsyncGenerator[listing.ExecutionsChange, None]
) -> AsyncGenerator[ExecutionsChange, None]:
    async with aclosing(changes):
        async for change in changes:
            await ctx.loop_budget.checkpoint()
            yield ExecutionsChange.of(change, ctx.manager.list_cursor(change.version))
