"""The enums of the API; their values are those of the core."""

from enum import Enum

import strawberry

from ..core.execution.events import ChangeKind
from ..core.execution.log import LogStream as CoreLogStream
from ..core.execution.model import (
    EndReason as CoreEndReason,
    StageStatus as CoreStageStatus,
    Status,
)
from ..core.execution.page import OrderField
from ..core.live.listing import ListChange as CoreListChange

value = strawberry.enum_value


@strawberry.enum(
    description="Where an execution is. COMPLETED, FAILED and CANCELLED are terminal and final."
)
class ExecutionStatus(Enum):
    QUEUED = value(Status.QUEUED.value, description="Accepted; waits for its turn.")
    RUNNING = value(Status.RUNNING.value, description="Its stages run.")
    CANCELLING = value(
        Status.CANCELLING.value, description="A cancel was accepted; the running stage is stopping."
    )
    COMPLETED = value(Status.COMPLETED.value, description="Ended as it should. Final.")
    FAILED = value(Status.FAILED.value, description="Ended by an error; `error` says which. Final.")
    CANCELLED = value(
        Status.CANCELLED.value,
        description="Ended by a cancel; nothing of it runs any more. Final.",
    )


@strawberry.enum(description="Where a stage of an execution is.")
class StageStatus(Enum):
    PENDING = value(CoreStageStatus.PENDING.value, description="Has not begun.")
    RUNNING = value(CoreStageStatus.RUNNING.value, description="Runs, or waits for a new attempt.")
    COMPLETED = value(CoreStageStatus.COMPLETED.value, description="Has done its work.")
    SKIPPED = value(
        CoreStageStatus.SKIPPED.value, description="Was not needed; `skipReason` says why."
    )
    FAILED = value(CoreStageStatus.FAILED.value, description="Its last attempt failed.")
    CANCELLED = value(
        CoreStageStatus.CANCELLED.value, description="Was stopped before it was done."
    )


@strawberry.enum(description="Who says what is in a log.")
class LogStream(Enum):
    STDOUT = value(CoreLogStream.STDOUT.value, description="The stage, on its standard output.")
    STDERR = value(
        CoreLogStream.STDERR.value,
        description="The stage, on its standard error; logging and warnings of functions, too.",
    )
    SYSTEM = value(CoreLogStream.SYSTEM.value, description="The engine.")


@strawberry.enum(description="Why an execution has ended.")
class EndReason(Enum):
    FINISHED = value(CoreEndReason.FINISHED.value, description="All its stages have run.")
    EARLY_EXIT = value(
        CoreEndReason.EARLY_EXIT.value,
        description="A stage's condition said that the rest is not needed.",
    )
    STAGE_ERROR = value(CoreEndReason.STAGE_ERROR.value, description="A stage failed.")
    TIMEOUT = value(
        CoreEndReason.TIMEOUT.value, description="A stage, or the whole of it, took too long."
    )
    CANCELLED_BY_USER = value(
        CoreEndReason.CANCELLED_BY_USER.value, description="Somebody cancelled it."
    )
    SERVER_SHUTDOWN = value(
        CoreEndReason.SERVER_SHUTDOWN.value, description="The server was stopped while it ran."
    )
    SERVER_RESTART = value(
        CoreEndReason.SERVER_RESTART.value,
        description="The server went down while it ran, and found it unfinished when it came back.",
    )
    WORKER_LOST = value(
        CoreEndReason.WORKER_LOST.value, description="The workers that ran it were lost."
    )


@strawberry.enum(description="What a message of `executionProgress` tells.")
class ProgressEvent(Enum):
    SNAPSHOT = value(
        ChangeKind.SNAPSHOT.value, description="The state at the time of subscribing. Comes first."
    )
    STATUS_CHANGED = value(
        ChangeKind.STATUS_CHANGED.value, description="The execution has another status."
    )
    STAGE_CHANGED = value(
        ChangeKind.STAGE_CHANGED.value, description="A stage has begun, ended or failed an attempt."
    )
    OUTPUT = value(ChangeKind.OUTPUT.value, description="A stage has put out a piece of text.")
    RESET = value(
        ChangeKind.RESET.value,
        description="Messages were lost; this one has the whole state, go on from here.",
    )


@strawberry.enum(description="What a message of `executionsChanged` tells.")
class ListChange(Enum):
    ENTERED = value(CoreListChange.ENTERED.value, description="The execution is now in the list.")
    UPDATED = value(
        CoreListChange.UPDATED.value, description="The execution is in the list and has changed."
    )
    LEFT = value(
        CoreListChange.LEFT.value,
        description="The execution no longer matches, or its retention is over.",
    )
    CAUGHT_UP = value(
        CoreListChange.CAUGHT_UP.value,
        description="The list is complete now; what follows happens live. Comes again when "
        "nothing but the status counts has changed.",
    )
    RESET = value(
        CoreListChange.RESET.value,
        description="The cursor is unknown or too old: forget the list, it is told anew.",
    )


@strawberry.enum(description="What a list of executions can be sorted by.")
class ExecutionOrderField(Enum):
    START_TIME = value(OrderField.START_TIME.value, description="When it was started.")
    END_TIME = value(
        OrderField.END_TIME.value, description="When it ended; what has not ended counts as last."
    )
    DURATION = value(OrderField.DURATION.value, description="How long it took, or takes so far.")
    PIPELINE_NAME = value(OrderField.PIPELINE_NAME.value, description="The name of its pipeline.")


@strawberry.enum(description="Which end of an order comes first.")
class OrderDirection(Enum):
    ASC = value("ASC", description="The smallest, earliest or first in the alphabet.")
    DESC = value("DESC", description="The largest, latest or last in the alphabet.")


@strawberry.enum(description="Why something was refused.")
class ErrorCode(Enum):
    NOT_FOUND = value("NOT_FOUND", description="There is no execution, pipeline or stage like it.")
    INVALID_INPUT = value("INVALID_INPUT", description="A value is not acceptable; see `path`.")
    ALREADY_ENDED = value("ALREADY_ENDED", description="The execution has its final status.")
    CONFLICT = value("CONFLICT", description="It does not fit the present state.")
    CAPACITY = value("CAPACITY", description="A limit of the server is reached; try again later.")
    UNAVAILABLE = value("UNAVAILABLE", description="The server cannot do it at the moment.")
    FORBIDDEN = value("FORBIDDEN", description="The caller may not do it.")
