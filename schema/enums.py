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
from ..core.pipelines.problem import Severity

value = strawberry.enum_value


@strawberry.enum(
    description="The status of an execution. COMPLETED, FAILED and CANCELLED are final."
)
class ExecutionStatus(Enum):
    QUEUED = value(Status.QUEUED.value, description="Accepted and waiting to run.")
    RUNNING = value(Status.RUNNING.value, description="Its stages are running.")
    CANCELLING = value(
        Status.CANCELLING.value, description="A cancel was accepted; the running stage is stopping."
    )
    COMPLETED = value(Status.COMPLETED.value, description="Ended successfully. Final.")
    FAILED = value(Status.FAILED.value, description="Ended by an error; see `error`. Final.")
    CANCELLED = value(
        Status.CANCELLED.value,
        description="Ended by a cancel; nothing of it is running any more. Final.",
    )


@strawberry.enum(description="The status of a stage of an execution.")
class StageStatus(Enum):
    PENDING = value(CoreStageStatus.PENDING.value, description="Has not started.")
    RUNNING = value(
        CoreStageStatus.RUNNING.value, description="Is running, or waiting for another attempt."
    )
    COMPLETED = value(CoreStageStatus.COMPLETED.value, description="Ended successfully.")
    SKIPPED = value(CoreStageStatus.SKIPPED.value, description="Was skipped; see `skipReason`.")
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
        description="A condition of a stage ended it early.",
    )
    STAGE_ERROR = value(CoreEndReason.STAGE_ERROR.value, description="A stage failed.")
    TIMEOUT = value(
        CoreEndReason.TIMEOUT.value, description="A stage, or the whole execution, took too long."
    )
    CANCELLED_BY_USER = value(
        CoreEndReason.CANCELLED_BY_USER.value, description="Somebody cancelled it."
    )
    SERVER_SHUTDOWN = value(
        CoreEndReason.SERVER_SHUTDOWN.value, description="The server was stopped while it ran."
    )
    SERVER_RESTART = value(
        CoreEndReason.SERVER_RESTART.value,
        description="The server went down while it ran.",
    )
    WORKER_LOST = value(
        CoreEndReason.WORKER_LOST.value, description="The workers that ran it were lost."
    )


@strawberry.enum(description="The kind of a message of `executionProgress`.")
class ProgressEvent(Enum):
    SNAPSHOT = value(
        ChangeKind.SNAPSHOT.value,
        description="The state at the time of subscribing. The first message.",
    )
    STATUS_CHANGED = value(
        ChangeKind.STATUS_CHANGED.value, description="The status of the execution has changed."
    )
    STAGE_CHANGED = value(
        ChangeKind.STAGE_CHANGED.value,
        description="A stage has started, ended or failed an attempt.",
    )
    OUTPUT = value(ChangeKind.OUTPUT.value, description="A stage has written a piece of output.")
    RESET = value(
        ChangeKind.RESET.value,
        description="Messages were lost; this one carries the whole state, continue from it.",
    )


@strawberry.enum(description="The kind of a message of `executionsChanged`.")
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
        description="The list is complete; later messages are live changes. Sent again when only "
        "the status counts have changed.",
    )
    RESET = value(
        CoreListChange.RESET.value,
        description="The cursor is unknown or too old: discard the list, it is sent again.",
    )


@strawberry.enum(description="How bad a problem of a pipeline file is.")
class ProblemSeverity(Enum):
    ERROR = value(Severity.ERROR.value, description="The file's pipeline is left out.")
    WARNING = value(
        Severity.WARNING.value,
        description="The pipeline can be started, and may not do what is meant.",
    )


@strawberry.enum(description="What a list of executions can be sorted by.")
class ExecutionOrderField(Enum):
    START_TIME = value(OrderField.START_TIME.value, description="When it was started.")
    END_TIME = value(
        OrderField.END_TIME.value,
        description="When it ended; executions that have not ended count as last.",
    )
    DURATION = value(
        OrderField.DURATION.value, description="How long it took, or has taken so far."
    )
    PIPELINE_NAME = value(OrderField.PIPELINE_NAME.value, description="The name of its pipeline.")


@strawberry.enum(description="The direction of a sort order.")
class OrderDirection(Enum):
    ASC = value(
        "ASC", description="Ascending: the smallest, earliest or alphabetically first value first."
    )
    DESC = value(
        "DESC", description="Descending: the largest, latest or alphabetically last value first."
    )


@strawberry.enum(description="The kind of an error.")
class ErrorCode(Enum):
    NOT_FOUND = value("NOT_FOUND", description="There is no such execution, pipeline or stage.")
    INVALID_INPUT = value("INVALID_INPUT", description="A value is invalid; see `path`.")
    ALREADY_ENDED = value("ALREADY_ENDED", description="The execution has its final status.")
    CONFLICT = value("CONFLICT", description="The request conflicts with the current state.")
    CAPACITY = value("CAPACITY", description="A limit of the server is reached; try again later.")
    UNAVAILABLE = value("UNAVAILABLE", description="The server is temporarily unable to do it.")
    FORBIDDEN = value("FORBIDDEN", description="The caller is not allowed to do it.")
