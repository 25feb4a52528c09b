"""Stages of an execution as the API shows them."""

from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from ..core.errors import InvalidInput
from ..core.execution.log import LogStream as CoreStream
from ..core.execution.model import Execution, StageRun, Usage as CoreUsage
from ..resolvers.logs import OutputPiece, output_in_memory, read_log, read_output
from .context import Info
from .enums import LogStream, StageStatus
from .errors import ExecutionError, as_graphql_errors
from .inputs import given
from .log import StageAttempt, StageLog
from .reads import STILL, NotAtOnce, reads
from .scalars import DateTime

OUTPUT_CHARACTERS = 51_200
MAX_OUTPUT_CHARACTERS = 1 << 20


@strawberry.type(description="Tokens and cost of language models.")
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


@strawberry.type(description="A piece of the output of a stage.")
class StageOutput:
    stage_id: ID = strawberry.field(description="The stage that wrote it.")
    offset: int = strawberry.field(description="Where the piece begins, in characters.")
    text: str = strawberry.field(description="The piece.")
    is_final: bool = strawberry.field(
        description="Whether the stage has ended and this is the end of its output."
    )
    truncated: bool = strawberry.field(description="Whether a part of the output was dropped.")

    @classmethod
    def of(cls, stage: StageRun, piece: OutputPiece) -> Self:
        return cls(
            stage_id=ID(stage.id),
            offset=piece.offset,
            text=piece.text,
            is_final=piece.is_final,
            truncated=piece.left_out,
        )


@strawberry.type(description="One stage of an execution.")
class Stage:
    core: strawberry.Private[StageRun]
    execution_id: strawberry.Private[str]

    id: ID = strawberry.field(description="Its id in the pipeline.")
    index: int = strawberry.field(description="Its position in the pipeline, from 0.")
    name: str = strawberry.field(description="Its name.")
    type: str = strawberry.field(description="The kind of stage.")
    status: StageStatus = strawberry.field(description="Its status.")
    attempt: int = strawberry.field(
        description="The number of its latest attempt, from 1; 0 before the first."
    )
    start_time: DateTime | None = strawberry.field(description="When its first attempt started.")
    end_time: DateTime | None = strawberry.field(description="When it ended; null until then.")
    duration_ms: float | None = strawberry.field(
        description="Milliseconds from start to end; null until it has ended."
    )
    skip_reason: str | None = strawberry.field(
        description="Why it was skipped; null if it was not."
    )
    model: str | None = strawberry.field(
        description="The language model that it uses; null if none."
    )

    @strawberry.field(description="Usage of the language model.", metadata=STILL)
    def usage(self) -> Usage:
        return Usage.of(self.core.usage)

    @strawberry.field(
        description="Its output so far, or a part of it.",
        metadata=reads(at_once=lambda self, info, **part: self.output_in_memory(info, **part)),
    )
    async def output(
        self,
        info: Info,
        offset: Annotated[
            int, strawberry.argument(description="Where to start, in characters.")
        ] = 0,
        limit: Annotated[
            int,
            strawberry.argument(
                description="The maximum number of characters to return; at most 1048576."
            ),
        ] = OUTPUT_CHARACTERS,
    ) -> StageOutput:
        with as_graphql_errors():
            _check_bounds("offset", offset, 2**31 - 1)
            _check_bounds("limit", limit, MAX_OUTPUT_CHARACTERS)
        ctx = info.context.ctx
        piece = await read_output(ctx, self.execution_id, self.core, offset, limit)
        info.context.add(piece.text)
        return StageOutput.of(self.core, piece)

    def output_in_memory(self, info: Info, offset: int, limit: int) -> StageOutput:
        """As `output`.

        Raises:
            NotAtOnce: it is in a file.
            InvalidInput: as `output`.
        """
        _check_bounds("offset", offset, 2**31 - 1)
        _check_bounds("limit", limit, MAX_OUTPUT_CHARACTERS)
        piece = output_in_memory(self.core, offset, limit)
        if piece is None:
            raise NotAtOnce
        info.context.add(piece.text)
        return StageOutput.of(self.core, piece)

    progress: float | None = strawberry.field(
        description="The progress that it has reported last, from 0 to 1; null if it has not."
    )
    next_attempt_time: DateTime | None = strawberry.field(
        description="When its next attempt starts; null unless it waits for one."
    )

    @strawberry.field(description="Its attempts, in order.", metadata=STILL)
    def attempts(self) -> list[StageAttempt]:
        return [StageAttempt.of(attempt) for attempt in self.core.attempts]

    @strawberry.field(
        description="What an attempt has said so far, on all streams, or a part of it."
    )
    async def log(
        self,
        info: Info,
        attempt: Annotated[
            int | None,
            strawberry.argument(description="The number of an attempt; the latest if left out."),
        ] = UNSET,
        offset: Annotated[
            int,
            strawberry.argument(description="Where to begin, in characters over all streams."),
        ] = 0,
        limit: Annotated[
            int,
            strawberry.argument(
                description="The maximum number of characters to return; at most 1048576."
            ),
        ] = OUTPUT_CHARACTERS,
        streams: Annotated[
            list[LogStream] | None,
            strawberry.argument(description="Only these; all of them if left out."),
        ] = UNSET,
    ) -> StageLog:
        wanted = given(streams)
        with as_graphql_errors():
            _check_bounds("offset", offset, 2**31 - 1)
            _check_bounds("limit", limit, MAX_OUTPUT_CHARACTERS)
            page = await read_log(
                info.context.ctx,
                self.execution_id,
                self.core,
                given(attempt),
                offset,
                limit,
                None if wanted is None else {CoreStream(stream.name) for stream in wanted},
            )
        for piece in page.pieces:
            info.context.add(piece.text)
        return StageLog.of(self.core.id, page)

    @strawberry.field(
        description="Why it failed, or why its previous attempt did; null if nothing failed.",
        metadata=STILL,
    )
    def error(self, info: Info) -> ExecutionError | None:
        return ExecutionError.maybe(self.core.error, info)

    @classmethod
    def all(cls, execution: Execution) -> list[Self]:
        """The stages of an execution, in order."""
        return [cls.numbered(execution, index) for index in range(len(execution.stages))]

    @classmethod
    def numbered(cls, execution: Execution, index: int) -> Self:
        """The stage of an execution at an index."""
        return cls.of(execution.id, execution.stages[index], index)

    @classmethod
    def of(cls, execution_id: str, stage: StageRun, index: int) -> Self:
        started, ended = stage.started_at, stage.ended_at
        next_attempt = stage.next_attempt_at
        return cls(
            core=stage,
            execution_id=execution_id,
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
            progress=stage.progress,
            next_attempt_time=None if next_attempt is None else DateTime(next_attempt),
        )


def _check_bounds(name: str, number: int, highest: int) -> None:
    if not 0 <= number <= highest:
        raise InvalidInput(f"{name} must be between 0 and {highest}, not {number}", path=[name])
