"""Attempts at a stage and their logs as the API shows them."""

from typing import Self

import strawberry
from strawberry import ID

from ..core.execution.log import LogPiece as CorePiece
from ..core.execution.model import StageAttempt as CoreAttempt
from ..resolvers.logs import LogPage
from .context import Info
from .enums import LogStream, StageStatus
from .errors import ExecutionError
from .reads import STILL
from .scalars import DateTime


@strawberry.type(description="One attempt at a stage.")
class StageAttempt:
    core: strawberry.Private[CoreAttempt]

    number: int = strawberry.field(description="Its number, from 1.")
    status: StageStatus = strawberry.field(description="RUNNING, or how it ended.")
    start_time: DateTime = strawberry.field(description="When it began.")
    end_time: DateTime | None = strawberry.field(description="When it ended; null until it has.")

    @strawberry.field(
        description="What went wrong in this attempt; null if nothing did.", metadata=STILL
    )
    def error(self, info: Info) -> ExecutionError | None:
        return ExecutionError.maybe(self.core.error, info)

    @classmethod
    def of(cls, attempt: CoreAttempt) -> Self:
        return cls(
            core=attempt,
            number=attempt.number,
            status=StageStatus(attempt.status),
            start_time=DateTime(attempt.started_at),
            end_time=None if attempt.ended_at is None else DateTime(attempt.ended_at),
        )


@strawberry.type(description="A text in the log of an attempt, as it arrived.")
class LogPiece:
    stage_id: ID = strawberry.field(description="The stage that it is about.")
    attempt: int = strawberry.field(description="The attempt that it is about, from 1.")
    offset: int = strawberry.field(
        description="Where it begins, in characters over all streams of the attempt."
    )
    stream: LogStream = strawberry.field(description="Who says it.")
    text: str = strawberry.field(description="The text.")
    time: DateTime = strawberry.field(description="When it arrived.")

    @classmethod
    def of(cls, stage_id: str, attempt: int, piece: CorePiece) -> Self:
        return cls(
            stage_id=ID(stage_id),
            attempt=attempt,
            offset=piece.offset,
            stream=LogStream(piece.stream),
            text=piece.text,
            time=DateTime(piece.at),
        )


@strawberry.type(
    description="A part of the log of an attempt. Offsets and sizes are in characters over all "
    "streams."
)
class StageLog:
    attempt: int = strawberry.field(description="Which attempt, from 1.")
    pieces: list[LogPiece] = strawberry.field(description="Its texts, in the order of arrival.")
    next_offset: int = strawberry.field(description="Where to go on reading.")
    total: int = strawberry.field(description="How long the log is so far.")
    left_out: int = strawberry.field(
        description="How much of it is not stored: what lies between its head and its tail where "
        "it was too long, and what could not be written."
    )
    is_final: bool = strawberry.field(
        description="Whether the attempt has ended and nothing comes after these pieces."
    )

    @classmethod
    def of(cls, stage_id: str, page: LogPage) -> Self:
        return cls(
            attempt=page.attempt,
            pieces=[LogPiece.of(stage_id, page.attempt, piece) for piece in page.pieces],
            next_offset=page.next_offset,
            total=page.total,
            left_out=page.left_out,
            is_final=page.is_final,
        )
