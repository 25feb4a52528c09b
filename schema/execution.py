"""Executions as the API shows them."""

from functools import partial
from typing import Self

import strawberry
from strawberry import ID

from ..core.execution import model
from ..core.execution.stored import StoredValue
from ..core.json_value import EncodedJSON, dumps
from ..core.live.request import MAX_INPUT_BYTES
from ..resolvers.logs import read_value
from .context import Info
from .enums import EndReason, ExecutionStatus
from .errors import ExecutionError, as_graphql_errors
from .fair_list import fair_list
from .node import Node
from .reads import STILL, NotAtOnce, reads
from .scalars import JSON, DateTime
from .stage import Stage, Usage


@strawberry.type(description="A key and a value attached to an execution at its start.")
class Label:
    key: str = strawberry.field(description="The key.")
    value: str = strawberry.field(description="The value.")


@strawberry.type(description="The cancel of an execution.")
class Cancellation:
    reason: str | None = strawberry.field(
        description="The reason that the caller gave; null if none."
    )
    requested_at: DateTime = strawberry.field(description="When the cancel was accepted.")
    stopped_after_ms: float | None = strawberry.field(
        description="How long it took until nothing was running; null while it is stopping."
    )
    forced: bool = strawberry.field(description="Whether the grace period was skipped.")
    stage_id: ID | None = strawberry.field(description="The stage that was running; null if none.")

    @classmethod
    def of(cls, cancellation: model.Cancellation) -> Self:
        return cls(
            reason=cancellation.reason,
            requested_at=DateTime(cancellation.requested_at),
            stopped_after_ms=cancellation.stopped_after,
            forced=cancellation.forced,
            stage_id=None if cancellation.stage_id is None else ID(cancellation.stage_id),
        )


@strawberry.type(description="One run of a pipeline.")
class Execution(Node):
    core: strawberry.Private[model.Execution]

    id: ID = strawberry.field(description="`exec_<epoch ms>_<base36>`.")
    pipeline_id: ID = strawberry.field(description="The pipeline that it runs.")
    pipeline_name: str = strawberry.field(description="The pipeline's name at the start.")
    status: ExecutionStatus = strawberry.field(description="Its status.")
    end_reason: EndReason | None = strawberry.field(description="Why it ended; null until then.")
    start_time: DateTime = strawberry.field(description="When it was started.")
    end_time: DateTime | None = strawberry.field(description="When it ended; null until then.")

    @strawberry.field(
        description="How long it has run so far or, once it has ended, in total, from the start of "
        "its first stage: milliseconds; 0 before that.",
        metadata=reads(moves=True),
    )
    def duration_ms(self, info: Info) -> float:
        return self.core.duration_ms(info.context.ctx.clock.now())

    @strawberry.field(
        description="How long it has waited before its first stage started, so far or in total: "
        "milliseconds.",
        metadata=reads(moves=True),
    )
    def queued_ms(self, info: Info) -> float:
        return self.core.queued_ms(info.context.ctx.clock.now())

    current_stage: int = strawberry.field(
        description="The number of the latest stage that has started, from 1; 0 before the first."
    )
    total_stages: int = strawberry.field(description="The number of stages.")
    input_preview: str = strawberry.field(
        description="The beginning of the input: at most 100 characters, the last one whole."
    )

    @strawberry.field(
        description="The whole input, without white space at either end.",
        metadata=reads(at_once=lambda self, info: self.input_in_memory(info)),
    )
    async def input(self, info: Info) -> str:
        input = await read_value(info.context.ctx, self.core.input, most_bytes=MAX_INPUT_BYTES)
        return info.context.add(str(input))

    def input_in_memory(self, info: Info) -> str:
        """As `input`.

        Raises:
            NotAtOnce: it is in a file.
        """
        return info.context.add(str(_in_memory(self.core.input)))

    @strawberry.field(description="The labels that it was started with.", metadata=STILL)
    def labels(self) -> list[Label]:
        return [Label(key=key, value=value) for key, value in self.core.labels]

    @strawberry.field(
        description="All stages of the pipeline, in order.",
        metadata=reads(at_once=lambda self, info: Stage.all(self.core)),
    )
    def stages(self, info: Info) -> list[Stage]:
        stages = self.core.stages
        return fair_list(info, range(len(stages)), partial(Stage.numbered, self.core))

    @strawberry.field(
        description="The output of the last completed stage; null until the execution has ended.",
        metadata=reads(at_once=lambda self, info: self.output_in_memory(info)),
    )
    async def output(self, info: Info) -> JSON | None:
        if self.core.output is None:
            return None
        most = info.context.limits.max_text
        with as_graphql_errors():
            output = await read_value(info.context.ctx, self.core.output, most_bytes=most)
        return _counted(info, output)

    def output_in_memory(self, info: Info) -> JSON | None:
        """As `output`.

        Raises:
            NotAtOnce: it is in a file.
        """
        return None if self.core.output is None else _counted(info, _in_memory(self.core.output))

    @strawberry.field(description="What went wrong; null if nothing did.", metadata=STILL)
    def error(self, info: Info) -> ExecutionError | None:
        return ExecutionError.maybe(self.core.error, info)

    @strawberry.field(
        description="Usage of language models: the sum over the stages.", metadata=STILL
    )
    def usage(self) -> Usage:
        return Usage.of(self.core.usage)

    @strawberry.field(
        description="The cancel that was accepted; null if there was none.", metadata=STILL
    )
    def cancellation(self) -> Cancellation | None:
        cancellation = self.core.cancellation
        return None if cancellation is None else Cancellation.of(cancellation)

    retry_of: ID | None = strawberry.field(
        description="The execution that this one retries; null if none."
    )

    @strawberry.field(
        description="When it leaves the list of active executions; null while it runs.",
        metadata=STILL,
    )
    def expires_at(self, info: Info) -> DateTime | None:
        moment = info.context.ctx.manager.expires_at(self.core)
        return None if moment is None else DateTime(moment)

    sequence: int = strawberry.field(description="The sequence number of its latest event, from 1.")

    @strawberry.field(
        description="Pass it as `after` to `executionProgress` to receive every later event.",
        metadata=STILL,
    )
    def cursor(self, info: Info) -> str:
        return str(info.context.ctx.manager.cursor(self.core))

    @classmethod
    def of(cls, execution: model.Execution) -> Self:
        reason, ended, retry_of = execution.end_reason, execution.ended_at, execution.retry_of
        return cls(
            core=execution,
            id=ID(execution.id),
            pipeline_id=ID(execution.pipeline_id),
            pipeline_name=execution.pipeline_name,
            status=ExecutionStatus(execution.status),
            end_reason=None if reason is None else EndReason(reason),
            start_time=DateTime(execution.started_at),
            end_time=None if ended is None else DateTime(ended),
            current_stage=execution.current_stage,
            total_stages=execution.total_stages,
            input_preview=execution.input_preview,
            retry_of=None if retry_of is None else ID(retry_of),
            sequence=execution.sequence,
        )


def _in_memory(value: object) -> object:
    if isinstance(value, StoredValue):
        raise NotAtOnce
    return value


def _counted(info: Info, output: object) -> JSON:
    encoded = output if isinstance(output, EncodedJSON) else EncodedJSON(dumps(output))
    info.context.count(len(encoded.text))
    return JSON(encoded)
