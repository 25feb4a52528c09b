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


@strawberry.type(description="Result of `startExecution` and `retryExecution`.")
class StartExecutionPayload:
    execution: Execution | None = strawberry.field(
        description="The execution; null if it was not started."
    )
    existing: bool = strawberry.field(
        description="Whether an earlier request with the same idempotency key started it."
    )
    stored: bool = strawberry.field(
        description="Whether the start is on disk. If false, the execution runs, but is lost if "
        "the server goes down before the disk can be written again."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why it was not started; empty if it was."
    )

    @classmethod
    async def result_of(cls, starting: Awaitable[Started]) -> Self:
        try:
            started = await starting
        except RuncastError as error:
            errors = [UserError.of(error)]
            return cls(execution=None, existing=False, stored=False, user_errors=errors)
        return cls(
            execution=Execution.of(started.execution),
            existing=started.existing,
            stored=started.stored,
            user_errors=[],
        )


@strawberry.type(description="Result of `cancelExecution`.")
class CancelExecutionPayload:
    cancelled: bool = strawberry.field(description="Whether this call cancelled the execution.")
    execution: Execution | None = strawberry.field(
        description="The current state of the execution; null if there is none."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why it cannot be cancelled; otherwise empty."
    )

    @classmethod
    def of(cls, cancelled: Cancelled) -> Self:
        execution, error = cancelled.execution, cancelled.error
        return cls(
            cancelled=cancelled.accepted,
            execution=None if execution is None else Execution.of(execution),
            user_errors=[] if error is None else [UserError.of(error)],
        )


@strawberry.type(description="Result of `cancelExecutions`.")
class CancelExecutionsPayload:
    matched: int = strawberry.field(
        description="How many executions match the filter and have not ended."
    )
    cancelled: int = strawberry.field(description="How many of them this call cancelled.")
    results: list[CancelExecutionPayload] = strawberry.field(
        description="One result for each of them."
    )

    @classmethod
    def of(cls, info: Info, results: list[Cancelled]) -> Self:
        return cls(
            matched=len(results),
            cancelled=sum(result.accepted for result in results),
            results=fair_list(info, results, CancelExecutionPayload.of),
        )


@strawberry.type(description="Starts, cancels and retries executions.")
class Mutation:
    @strawberry.mutation(
        description="Starts an execution. Every query sees it before the response is sent."
    )
    async def start_execution(
        self,
        info: Info,
        pipeline_id: Annotated[ID, argument(description="The id of the pipeline to run.")],
        input: Annotated[str, argument(description="The input of the pipeline; at most 1 MiB.")],
        options: Annotated[
            StartOptions | None, argument(description="Options of this execution.")
        ] = UNSET,
    ) -> StartExecutionPayload:
        chosen = given(options) or StartOptions()
        return await StartExecutionPayload.result_of(
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
        description="Cancels an execution: the running stage is stopped, not only those after it. "
        "`force` skips the grace period."
    )
    async def cancel_execution(
        self,
        info: Info,
        id: Annotated[ID, argument(description="The id of the execution.")],
        reason: Annotated[
            str | None, argument(description="Why it is cancelled; shown with the execution.")
        ] = UNSET,
        force: Annotated[bool, argument(description="Whether to skip the grace period.")] = False,
    ) -> CancelExecutionPayload:
        return CancelExecutionPayload.of(
            await cancel_execution(info.context.ctx, id, given(reason), force=force)
        )

    @strawberry.mutation(
        description="Cancels all executions that match the filter and have not ended."
    )
    async def cancel_executions(
        self,
        info: Info,
        filter: Annotated[ExecutionFilter, argument(description="Which executions to cancel.")],
        reason: Annotated[
            str | None, argument(description="Why they are cancelled; shown with each execution.")
        ] = UNSET,
        dry_run: Annotated[
            bool, argument(description="Whether to return the matches without cancelling them.")
        ] = False,
    ) -> CancelExecutionsPayload:
        with as_graphql_errors():
            wanted = filter_of(filter)
        found = await cancel_executions(info.context.ctx, wanted, given(reason), dry_run=dry_run)
        return CancelExecutionsPayload.of(info, found)

    @strawberry.mutation(
        description="Starts a new execution with the same input; with fromStage, the outputs of "
        "the stages before it are reused."
    )
    async def retry_execution(
        self,
        info: Info,
        id: Annotated[ID, argument(description="The id of the execution to retry.")],
        from_stage: Annotated[
            ID | None, argument(description="The first stage to run again.")
        ] = UNSET,
        idempotency_key: Annotated[
            str | None,
            argument(
                description="A second retry with the same key and the same arguments returns the "
                "execution of the first one."
            ),
        ] = UNSET,
    ) -> StartExecutionPayload:
        return await StartExecutionPayload.result_of(
            retry_execution(info.context.ctx, id, given(from_stage), given(idempotency_key))
        )
