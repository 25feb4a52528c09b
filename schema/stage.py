"""Stages of an execution as the API shows them."""

from typing import Annotated, Self

import strawberry
from strawberry import ID

from ..core.errors import InvalidInput
from ..core.execution.model import Failure, StageRun, Usage as CoreUsage
from .context import Info
from .enums import StageStatus
from .errors import as_graphql_errors
from .scalars import DateTime

OUTPUT_CHARACTERS = 51_200
MAX_OUTPUT_CHARACTERS = 1 << 20


@strawberry.type(description="What language models were given, gave and cost.")
class Usage:
    input_tokens: int = strawberry.field(description="Tokens read.")
    output_tokens: int = strawberry.field(description="Tokens written.")
    cost_usd: float = strawberry.field(description="In US dollars, not rounded.")

    @classmethod
    def of(cls, usage: CoreUsage) -> Self:
        return cls(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
        )


@strawberry.type(description="What went wrong.")
class ExecutionError:
    type: str = strawberry.field(
        description="The kind of error: `ExitStatus`, `Timeout`, an exception's name."
    )
    message: str = strawberry.field(description="What happened, in words.")
    stage_id: ID | None = strawberry.field(
        description="The stage that failed; null if it was none of them."
    )
    traceback: str | None = strawberry.field(
        description="Where it happened in the code; only in debug mode."
    )

    @classmethod
    def maybe(cls, failure: Failure | None, info: Info) -> Self | None:
        """None if there is no failure."""
        if failure is None:
            return None
        return cls(
            type=failure.type,
            message=failure.message,
            stage_id=None if failure.stage_id is None else ID(failure.stage_id),
            traceback=failure.traceback if info.context.ctx.debug else None,
        )


@strawberry.type(description="A piece of the text that a stage has put out.")
class StageOutput:
    stage_id: ID = strawberry.field(description="The stage that wrote it.")
    offset: int = strawberry.field(description="Where the piece begins, in characters.")
    text: str = strawberry.field(description="The piece.")
    is_final: bool = strawberry.field(
        description="Whether the stage has ended and nothing comes after this piece."
    )
    truncated: bool = strawberry.field(
        description="Whether the stage has put out more than is kept (`maxOutputBytes`)."
    )

    @classmethod
    def of(cls, stage: StageRun, offset: int, text: str) -> Self:
        ended = stage.ended_at is not None
        return cls(
            stage_id=ID(stage.id),
            offset=offset,
            text=text,
            is_final=ended and offset + len(text) >= stage.output.length,
            truncated=stage.output.truncated,
        )


@strawberry.type(description="One stage of an execution.")
class Stage:
    core: strawberry.Private[StageRun]

    id: ID = strawberry.field(description="Its id in the pipeline.")
    index: int = strawberry.field(description="Its place in the pipeline, from 0.")
    name: str = strawberry.field(description="Its name.")
    type: str = strawberry.field(description="What kind of stage it is.")
    status: StageStatus = strawberry.field(description="Where it is.")
    attempt: int = strawberry.field(
        description="The number of its latest attempt, from 1; 0 before the first."
    )
    start_time: DateTime | None = strawberry.field(description="When its first attempt began.")
    end_time: DateTime | None = strawberry.field(description="When it ended; null until it has.")
    duration_ms: float | None = strawberry.field(
        description="From start to end in milliseconds; null until it has ended."
    )
    skip_reason: str | None = strawberry.field(description="Why it was skipped.")
    model: str | None = strawberry.field(description="The language model that it uses.")

    @strawberry.field(description="What the language model has used.")
    def usage(self) -> Usage:
        return Usage.of(self.core.usage)

    @strawberry.field(description="The text that it has put out so far, or a part of it.")
    def output(
        self,
        info: Info,
        offset: Annotated[
            int, strawberry.argument(description="Where to begin, in characters.")
        ] = 0,
        limit: Annotated[
            int,
            strawberry.argument(description="How many characters at most; 1048576 is the limit."),
        ] = OUTPUT_CHARACTERS,
    ) -> StageOutput:
        with as_graphql_errors():
            _check_bounds("offset", offset, 2**31 - 1)
            _check_bounds("limit", limit, MAX_OUTPUT_CHARACTERS)
        text = info.context.add(self.core.output.text(offset, limit))
        return StageOutput.of(self.core, offset, text)

    @strawberry.field(
        description="What went wrong: in the end, or in an attempt that is made again."
    )
    def error(self, info: Info) -> ExecutionError | None:
        return ExecutionError.maybe(self.core.error, info)

    @classmethod
    def of(cls, stage: StageRun, index: int) -> Self:
        started, ended = stage.started_at, stage.ended_at
        return cls(
            core=stage,
            id=ID(stage.id),
            index=index,
            name=stage.name,
            type=stage.type,
            status=StageStatus(stage.status),
            attempt=stage.attempt,
            start_time=None if started is None else DateTime(started),
            end_time=None if ended is None else DateTime(ended),
            duration_ms=stage.duration_ms,
            skip_reason=stage.skip_reason,
            model=stage.model,
        )


def _check_bounds(name: str, number: int, highest: int) -> None:
    if not 0 <= number <= highest:
        raise InvalidInput(f"{name} must be between 0 and {highest}, not {number}", path=[name])
