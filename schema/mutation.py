"""What can be done."""

from collections.abc import Awaitable
from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from ..core.errors import RuncastError
from ..core.live.manager import Started
from ..resolvers.executions import (
    Cancelled,
    cancel_execution,
    cancel_executions,
    retry_execution,
    start_execution,
)
from .context import Info
from .errors import UserError, as_graphql_errors
from .execution import Execution
from .fair_list import fair_list
from .inputs import ExecutionFilter, StartOptions, filter_of, given, labels_of

argument = strawberry.argument


@strawberry.type(description="What a start or a retry came to.")
class StartExecutionPayload:
    execution: Execution | None = strawberry.field(
        description="The execution; null if it was refused."
    )
    existing: bool = strawberry.field(
        description="Whether it was found by its idempotency key and not started now."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why it was refused; empty if it was not."
    )

    @classmethod
    async def told(cls, starting: Awaitable[Started]) -> Self:
        try:
            started = await starting
        except RuncastError as error:
            return cls(execution=None, existing=False, user_errors=[UserError.of(error)])
        return cls(
            execution=Execution.of(started.execution), existing=started.existing, user_errors=[]
        )


@strawberry.type(description="What a cancel came to.")
class CancelExecutionPayload:
    cancelled: bool = strawberry.field(description="Whether this call has had it stopped.")
    execution: Execution | None = strawberry.field(
        description="The execution as it is now; null if there is none."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why it was refused; empty if it was not."
    )

    @classmethod
    def of(cls, cancelled: Cancelled) -> Self:
        execution, error = cancelled.execution, cancelled.error
        return cls(
            cancelled=cancelled.accepted,
            execution=None if execution is None else Execution.of(execution),
            user_errors=[] if error is None else [UserError.of(error)],
        )


@strawberry.type(description="What a cancel of many came to.")
class CancelExecutionsPayload:
    matched: int = strawberry.field(
        description="How many that have not ended the filter has found."
    )
    cancelled: int = strawberry.field(description="How many of them this call has had stopped.")
    results: list[CancelExecutionPayload] = strawberry.field(description="One for each of them.")

    @classmethod
    def of(cls, info: Info, results: list[Cancelled]) -> Self:
        return cls(
            matched=len(results),
            cancelled=sum(result.accepted for result in results),
            results=fair_list(info, results, CancelExecutionPayload.of),
        )


@strawberry.type(description="What can be done.")
class Mutation:
    @strawberry.mutation(
        description="Starts an execution. It is in every list before the answer is sent."
    )
    async def start_execution(
        self,
        info: Info,
        pipeline_id: Annotated[ID, argument(description="Which pipeline to run.")],
        input: Annotated[str, argument(description="The text to give it; 1 MiB at most.")],
        options: Annotated[
            StartOptions | None, argument(description="What may be set for this execution.")
        ] = UNSET,
    ) -> StartExecutionPayload:
        chosen = given(options) or StartOptions()
        return await StartExecutionPayload.told(
            start_execution(
                info.context.ctx,
                pipeline_id,
                input,
                labels=labels_of(chosen.labels),
                timeout_ms=given(chosen.timeout_ms),
                execution_mode=given(chosen.execution_mode),
                idempotency_key=given(chosen.idempotency_key),
            )
        )

    @strawberry.mutation(
        description="Stops the running stage, not only what would come after it. `force` skips "
        "the grace period."
    )
    async def cancel_execution(
        self,
        info: Info,
        id: Annotated[ID, argument(description="Which execution.")],
        reason: Annotated[
            str | None, argument(description="Why; shown with the execution.")
        ] = UNSET,
        force: Annotated[bool, argument(description="Do not wait for a polite end.")] = False,
    ) -> CancelExecutionPayload:
        return CancelExecutionPayload.of(
            await cancel_execution(info.context.ctx, id, given(reason), force=force)
        )

    @strawberry.mutation(description="Stops everything that the filter finds and has not ended.")
    async def cancel_executions(
        self,
        info: Info,
        filter: Annotated[ExecutionFilter, argument(description="Which executions.")],
        reason: Annotated[
            str | None, argument(description="Why; shown with each execution.")
        ] = UNSET,
        dry_run: Annotated[bool, argument(description="Only tell which ones it would be.")] = False,
    ) -> CancelExecutionsPayload:
        with as_graphql_errors():
            wanted = filter_of(filter)
        found = await cancel_executions(info.context.ctx, wanted, given(reason), dry_run=dry_run)
        return CancelExecutionsPayload.of(info, found)

    @strawberry.mutation(
        description="Starts a new execution with the same input; with fromStage, the outputs of "
        "the stages before it are taken over."
    )
    async def retry_execution(
        self,
        info: Info,
        id: Annotated[ID, argument(description="Which execution to repeat.")],
        from_stage: Annotated[
            ID | None, argument(description="The first stage to run again.")
        ] = UNSET,
    ) -> StartExecutionPayload:
        return await StartExecutionPayload.told(
            retry_execution(info.context.ctx, id, given(from_stage))
        )
