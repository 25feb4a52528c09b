"""Every event against every status, with MOVES and STAGE_MOVES as the oracles."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from runcast.core.errors import IllegalMove
from runcast.core.execution.events import (
    Began,
    CancelRequested,
    ChangeKind,
    Ended,
    Event,
    StageCancelled,
    StageCompleted,
    StageFailed,
    StageProgressed,
    StageRetrying,
    StageSkipped,
    StageStarted,
    Submitted,
)
from runcast.core.execution.model import (
    MOVES,
    STAGE_MOVES,
    Cancellation,
    EndReason,
    Execution,
    Failure,
    StageAttempt,
    StageRun,
    StageStatus,
    Status,
    Usage,
)
from runcast.core.execution.stage_log import StageLog
from samples import an_execution, said

FAILURE = Failure("ExitStatus", "it ended with status 1", "one")
ID = "exec_1"


def at(status: Status, *stages: StageStatus) -> Execution:
    """An execution in that status, with stages in those."""
    runs = tuple(a_stage(str(n), one) for n, one in enumerate(stages))
    asked = Cancellation(requested_at=1500) if status is Status.CANCELLING else None
    ended_at = 1900 if status.terminal else None
    return an_execution(status=status, stages=runs, cancellation=asked, ended_at=ended_at)


def a_stage(id: str, status: StageStatus) -> StageRun:
    """A stage in that status; one that has begun has made an attempt."""
    if status in (StageStatus.PENDING, StageStatus.SKIPPED):
        return StageRun(id, id, "python", status)
    over = 1900 if status.terminal else None
    latest = StageAttempt(1, 1000, status, over)
    return StageRun(
        id, id, "python", status, attempt=1, started_at=1000, ended_at=over, attempts=(latest,)
    )


def ended(status: Status) -> Ended:
    return Ended(ID, 2000, status, EndReason.FINISHED)


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("event", [Began(ID, 2000), *map(ended, Status)], ids=str)
def test_a_move_is_made_if_the_table_has_it(event: Began | Ended, before: Status) -> None:
    """Began asks for RUNNING, Ended for its status; CANCELLING turns every end into CANCELLED."""
    wanted = event.status if isinstance(event, Ended) else Status.RUNNING
    is_possible = wanted.terminal or isinstance(event, Began)
    if before is Status.CANCELLING and isinstance(event, Ended):
        wanted = Status.CANCELLED
    execution = at(before, StageStatus.RUNNING)
    if is_possible and wanted in MOVES[before]:
        after = event.after(execution)
        assert after.status is wanted
        assert (after.ended_at is not None) is wanted.terminal
    else:
        with pytest.raises(IllegalMove):
            event.after(execution)


@pytest.mark.parametrize("before", Status)
def test_a_cancel_is_possible_until_the_end(before: Status) -> None:
    """What waits is CANCELLED at once, what runs is CANCELLING first, what has ended refuses."""
    event = CancelRequested(ID, 2000, "enough", forced=True)
    if before.terminal:
        with pytest.raises(IllegalMove):
            event.after(at(before))
        return
    after = event.after(at(before, StageStatus.PENDING))
    expected = Status.CANCELLED if before is Status.QUEUED else Status.CANCELLING
    assert after.status is expected
    assert after.cancellation is not None
    assert after.cancellation.forced
    assert (after.end_reason is EndReason.CANCELLED_BY_USER) is expected.terminal


BECOMES: dict[Callable[[int], Event], StageStatus | None] = {
    lambda index: StageStarted(ID, 2000, index): StageStatus.RUNNING,
    lambda index: said(ID, 2000, index, "x"): None,
    lambda index: StageProgressed(ID, 2000, index, 0.5): None,
    lambda index: StageRetrying(ID, 2000, index, FAILURE, 3000): None,
    lambda index: StageCompleted(ID, 2000, index, "v"): StageStatus.COMPLETED,
    lambda index: StageSkipped(ID, 2000, index, "no need"): StageStatus.SKIPPED,
    lambda index: StageFailed(ID, 2000, index, FAILURE): StageStatus.FAILED,
    lambda index: StageCancelled(ID, 2000, index): StageStatus.CANCELLED,
}
"""The status that each event moves a stage to; None: it happens to one that runs."""


@pytest.mark.parametrize("stage", StageStatus)
@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("make", BECOMES, ids=lambda make: type(make(0)).__name__)
def test_a_stage_moves_only_while_its_execution_runs(
    make: Callable[[int], Event], before: Status, stage: StageStatus
) -> None:
    """And only as the table says; the execution's own status stays."""
    execution, becomes = at(before, stage), BECOMES[make]
    is_possible = stage is StageStatus.RUNNING if becomes is None else becomes in STAGE_MOVES[stage]
    if is_possible and before in (Status.RUNNING, Status.CANCELLING):
        after = make(0).after(execution)
        assert after.status is before
        assert after.stages[0].status is (becomes or stage)
        assert after.current_stage == 1
    else:
        with pytest.raises(IllegalMove):
            make(0).after(execution)


@pytest.mark.parametrize("index", [-1, 2])
@pytest.mark.parametrize("make", BECOMES, ids=lambda make: type(make(0)).__name__)
def test_a_stage_that_does_not_exist_cannot_move(make: Callable[[int], Event], index: int) -> None:
    """Neither past the end nor counted from the end."""
    execution = at(Status.RUNNING, StageStatus.RUNNING, StageStatus.RUNNING)
    with pytest.raises(IllegalMove):
        make(index).after(execution)


@pytest.mark.parametrize("before", Status)
def test_nothing_is_submitted_twice(before: Status) -> None:
    """Submitted needs that there is no execution of that id."""
    execution = at(before)
    with pytest.raises(IllegalMove):
        Submitted(ID, 2000, execution).after(execution)


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.FAILED])
def test_an_end_leaves_no_stage_running(end: Status) -> None:
    """Every stage that still runs is FAILED with the reason of the end."""
    execution = at(Status.RUNNING, StageStatus.RUNNING, StageStatus.COMPLETED, StageStatus.RUNNING)
    after = Ended(ID, 2000, end, EndReason.STAGE_ERROR, error=FAILURE).after(execution)
    assert [stage.status for stage in after.stages] == ["FAILED", "COMPLETED", "FAILED"]
    assert [stage.error for stage in after.stages] == [FAILURE, None, FAILURE]
    assert after.stages[2].ended_at == after.ended_at == 2000


def test_a_cancel_is_told_with_how_it_went() -> None:
    """Reason, the stage that ran, and the time until it had stopped."""
    running = at(Status.RUNNING, StageStatus.COMPLETED, StageStatus.RUNNING)
    stopping = CancelRequested(ID, 2000, "enough").after(running)
    after = ended(Status.COMPLETED).after(replace(stopping, sequence=3))
    assert after.status is Status.CANCELLED
    assert after.end_reason is EndReason.CANCELLED_BY_USER
    assert after.cancellation == Cancellation(2000, "enough", 0, stage_id="1")
    assert after.stages[1].status is StageStatus.CANCELLED
    assert after.output is None


def test_force_can_follow_and_is_never_taken_back() -> None:
    """A second cancel changes nothing but `forced`, and that only upwards."""
    stopping = CancelRequested(ID, 1600, "first").after(at(Status.RUNNING))
    forced = CancelRequested(ID, 1700, "second", forced=True).after(stopping)
    assert forced.cancellation == Cancellation(1600, "first", forced=True)
    assert CancelRequested(ID, 1800, "third").after(forced) == forced


def test_the_stage_counter_never_goes_back() -> None:
    """`current_stage` is 1-based and is the furthest stage that was touched."""
    execution = at(Status.RUNNING, StageStatus.RUNNING, StageStatus.RUNNING)
    later = said(ID, 2000, 1, "x").after(execution)
    assert later.current_stage == 2
    assert said(ID, 2000, 0, "x").after(later).current_stage == 2


def test_another_attempt_begins_with_an_empty_log_and_the_first_start() -> None:
    """The error of the attempt before stays to be seen until the stage has completed."""
    execution = StageStarted(ID, 2000, 0).after(at(Status.RUNNING, StageStatus.PENDING))
    for event in (
        said(ID, 2001, 0, "half"),
        StageProgressed(ID, 2001, 0, 0.5),
        StageRetrying(ID, 2002, 0, FAILURE, 2003),
        StageStarted(ID, 2003, 0, attempt=2, model="m"),
    ):
        execution = event.after(execution)
    stage = execution.stages[0]
    assert (stage.attempt, stage.model, stage.log, stage.progress) == (2, "m", StageLog(), None)
    assert (stage.started_at, stage.error) == (2000, FAILURE)
    usage = Usage(3, 4, 0.1)
    stage = StageCompleted(ID, 2010, 0, {"a": 1}, usage).after(execution).stages[0]
    assert (stage.value, stage.usage, stage.error, stage.model) == ({"a": 1}, usage, None, "m")
    assert stage.duration_ms == 10


ENDS: dict[Event, tuple[StageStatus, Failure | None]] = {
    StageCompleted(ID, 2500, 0, "v"): (StageStatus.COMPLETED, None),
    StageFailed(ID, 2500, 0, FAILURE): (StageStatus.FAILED, FAILURE),
    StageCancelled(ID, 2500, 0): (StageStatus.CANCELLED, None),
    ended(Status.COMPLETED): (StageStatus.FAILED, None),
    Ended(ID, 2500, Status.FAILED, EndReason.TIMEOUT, error=FAILURE): (StageStatus.FAILED, FAILURE),
}


@pytest.mark.parametrize("event", ENDS, ids=lambda event: type(event).__name__)
def test_whatever_ends_a_stage_ends_its_latest_attempt(event: Event) -> None:
    """In the same status, at the same time, with the same error; those before stay as they were."""
    status, error = ENDS[event]
    first = Failure("Timeout", "late", "one")
    execution = at(Status.RUNNING, StageStatus.PENDING)
    for step in (
        StageStarted(ID, 2000, 0),
        StageRetrying(ID, 2100, 0, first, 2200),
        StageStarted(ID, 2200, 0, attempt=2),
        said(ID, 2300, 0, "words"),
        event,
    ):
        execution = step.after(execution)
    stage = execution.stages[0]
    earlier = StageAttempt(1, 2000, StageStatus.FAILED, 2100, first)
    assert stage.attempts[0] == earlier
    assert stage.attempts[1] == StageAttempt(2, 2200, status, event.at, error)
    assert (stage.status, stage.ended_at) == (status, event.at)
    # A stage that was stopped still tells what went wrong before.
    assert stage.error == (error if error or status is StageStatus.COMPLETED else first)
    assert stage.log == StageLog(length=5, output_length=5)


def test_a_stage_that_waits_for_its_next_attempt_says_until_when() -> None:
    """It runs all the same; its last attempt is over, and so is what that had in memory."""
    execution = at(Status.RUNNING, StageStatus.PENDING)
    for event in (
        StageStarted(ID, 2000, 0),
        said(ID, 2050, 0, "half"),
        StageRetrying(ID, 2100, 0, FAILURE, 4100),
    ):
        execution = event.after(execution)
    stage = execution.stages[0]
    assert (stage.status, stage.error, stage.ended_at) == (StageStatus.RUNNING, FAILURE, None)
    assert stage.next_attempt_at == 4100
    assert stage.attempts == (StageAttempt(1, 2000, StageStatus.FAILED, 2100, FAILURE),)
    assert stage.log == StageLog(length=4, output_length=4)
    for end in (
        StageStarted(ID, 4100, 0, attempt=2),
        StageCancelled(ID, 3000, 0),
        ended(Status.FAILED),
    ):
        assert end.after(execution).stages[0].next_attempt_at is None


@pytest.mark.parametrize("event", [StageCancelled(ID, 3000, 0), ended(Status.FAILED)], ids=str)
def test_an_attempt_that_is_over_is_not_ended_again(event: Event) -> None:
    """A stage that is stopped while it waits has failed once, and was cancelled between."""
    execution = at(Status.RUNNING, StageStatus.PENDING)
    for step in (StageStarted(ID, 2000, 0), StageRetrying(ID, 2100, 0, FAILURE, 4100), event):
        execution = step.after(execution)
    stage = execution.stages[0]
    assert stage.attempts == (StageAttempt(1, 2000, StageStatus.FAILED, 2100, FAILURE),)
    assert (stage.status.terminal, stage.ended_at, stage.error) == (True, event.at, FAILURE)


def test_progress_is_what_was_said_last() -> None:
    """It changes nothing else, and stays when the stage has ended."""
    execution = at(Status.RUNNING, StageStatus.RUNNING)
    assert execution.stages[0].progress is None
    for done in (0.25, 1.0, 0.5):
        after = StageProgressed(ID, 2000, 0, done).after(execution)
        assert after.stages[0] == replace(execution.stages[0], progress=done)
        execution = after
    assert StageFailed(ID, 2000, 0, FAILURE).after(execution).stages[0].progress == 0.5


def test_a_skipped_stage_says_why() -> None:
    """It has a reason and no times."""
    stage = StageSkipped(ID, 2000, 0, "no need").after(at(Status.RUNNING, StageStatus.PENDING))
    assert stage.stages[0].status is StageStatus.SKIPPED
    assert stage.stages[0].skip_reason == "no need"
    assert stage.stages[0].started_at is None


def test_events_say_what_watchers_are_told() -> None:
    """The kind of the change, and the stage that it is about."""
    assert (Began(ID, 1).kind, Began(ID, 1).stage) == (ChangeKind.STATUS_CHANGED, None)
    output, started = said(ID, 1, 3, "x"), StageStarted(ID, 1, 3)
    assert (output.kind, output.stage) == (ChangeKind.OUTPUT, 3)
    for event in (started, StageProgressed(ID, 1, 3, 0.5), StageRetrying(ID, 1, 3, FAILURE, 2)):
        assert (event.kind, event.stage) == (ChangeKind.STAGE_CHANGED, 3)


def test_an_event_leaves_the_sequence_alone() -> None:
    """Counting is the business of `applied`."""
    execution = replace(at(Status.QUEUED), sequence=7)
    assert Began(ID, 1).after(execution).sequence == 7
