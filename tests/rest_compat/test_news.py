"""The old events between two states of an execution: section 4 of the REST contract."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings, strategies as st
from runcast.core.errors import IllegalMove
from runcast.core.execution.events import (
    Began,
    CancelRequested,
    Ended,
    Event,
    StageCancelled,
    StageCompleted,
    StageFailed,
    StageLogged,
    StageRetrying,
    StageSkipped,
    StageStarted,
)
from runcast.core.execution.model import EndReason, Execution, Failure, Status, Usage
from runcast.rest_compat.news import news
from samples import an_execution, said

ID, AT = "exec_1", 2000
WRONG = Failure("StageError", "wrong", "one")
RESULT_WORDS = {
    Status.COMPLETED: {"success", "early_exit"},
    Status.FAILED: {"failed"},
    Status.CANCELLED: {"cancelled"},
}
ENDS = ("stage:completed", "stage:skipped", "stage:failed")
BEGAN = Began(ID, AT)
FINISHED = Ended(ID, AT + 500, Status.COMPLETED, EndReason.FINISHED)


def stage(index: int) -> list[Event]:
    """A stage that does its work."""
    return [
        StageStarted(ID, AT, index),
        said(ID, AT + 10, index, "some text"),
        StageCompleted(ID, AT + 20, index, f"value {index}", Usage(1, 2, 0.5)),
    ]


def states(events: Iterable[Event], execution: Execution | None = None) -> list[Execution]:
    """Every state on the way, with what its stages have said; what cannot happen does not."""
    now = execution or an_execution()
    found, texts = [now], {index: stage.log.head for index, stage in enumerate(now.stages)}
    for event in events:
        try:
            now = replace(event.after(now), sequence=now.sequence + 1)
        except IllegalMove:
            continue
        if isinstance(event, StageStarted):
            texts[event.index] = ""
        elif isinstance(event, StageLogged):
            texts[event.index] += event.piece.text
        found.append(_shown(now, texts))
    return found


def _shown(execution: Execution, texts: dict[int, str]) -> Execution:
    """As `resolvers.logs.shown` has it: the stages' logs begin with what they have said."""
    for index, stage in enumerate(execution.stages):
        log = replace(stage.log, head=texts[index][:51_201], output_length=len(texts[index]))
        execution = execution.with_stage(index, replace(stage, log=log))
    return execution


def told(seen: Iterable[Execution]) -> list[dict[str, Any]]:
    """The events that a watcher of these states hears."""
    heard: list[dict[str, Any]] = []
    before = None
    for state in seen:
        heard += news(before, state)
        before = state
    return heard


def types(messages: Iterable[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def test_a_whole_run_is_told_in_the_order_of_the_contract() -> None:
    """Started, the stages one after the other, completed."""
    heard = told(states([BEGAN, *stage(0), *stage(1), FINISHED]))
    assert types(heard) == [
        "execution:started",
        *["stage:started", "stage:output", "stage:completed"] * 2,
        "execution:completed",
    ]


def test_a_catch_up_tells_the_same_as_having_been_there() -> None:
    """The news since before the beginning are all of them."""
    course = states([BEGAN, *stage(0), *stage(1), FINISHED])
    assert news(None, course[-1]) == told(course)


def test_nothing_is_told_twice() -> None:
    """From a state to itself there is no news."""
    cancelled = states([BEGAN, *stage(0), CancelRequested(ID, AT), FINISHED])
    for state in (*cancelled, *states([BEGAN, *stage(0), *stage(1), FINISHED])):
        assert news(state, state) == []


def test_what_an_event_carries() -> None:
    """The fields of the contract, and no others."""
    heard = told(states([BEGAN, *stage(0), FINISHED], an_execution(ID, "one")))
    one = {"id": "one", "name": "one", "type": "python"}
    ends = {"status": "completed", "cost": 0.5, "duration": 20}
    summary = {
        "stagesRun": 1,
        "stagesSkipped": 0,
        "stagesFailed": 0,
        "totalDuration": 500,
        "totalCost": 0.5,
        "totalInputTokens": 1,
        "totalOutputTokens": 2,
    }
    result = {
        "status": "success",
        "pipelineId": "demo",
        "summary": summary,
        "output": {"optimizedPrompt": "value 0", "one": "value 0"},
    }
    begins = {"pipelineId": "demo", "pipelineName": "Demo", "stageCount": 1}
    text = {"stageId": "one", "output": "some text", "isFinal": True}
    assert heard == [
        {"type": "execution:started", "executionId": ID, **begins},
        {"type": "stage:started", "executionId": ID, "stage": one, "index": 0, "total": 1},
        {"type": "stage:output", "executionId": ID, **text},
        {"type": "stage:completed", "executionId": ID, "stage": one, "result": ends},
        {"type": "execution:completed", "executionId": ID, "result": result},
    ]


def test_a_skipped_stage_is_announced_first() -> None:
    """`stage:started`, then `stage:skipped` with the reason."""
    heard = told(states([BEGAN, StageSkipped(ID, AT, 0, "not needed"), *stage(1), FINISHED]))
    assert types(heard)[1:3] == ["stage:started", "stage:skipped"]
    assert heard[2]["reason"] == "not needed"


def test_a_stage_that_fails_without_a_word_has_no_output_event() -> None:
    """`stage:failed` follows `stage:started` at once; a new attempt in between is not told."""
    course = [
        BEGAN,
        StageStarted(ID, AT, 0),
        StageRetrying(ID, AT, 0, WRONG, AT + 5),
        StageStarted(ID, AT, 0, attempt=2),
        StageFailed(ID, AT, 0, WRONG),
        Ended(ID, AT, Status.FAILED, EndReason.STAGE_ERROR, error=WRONG),
    ]
    heard = told(states(course))
    assert types(heard)[1:] == ["stage:started", "stage:failed", "execution:completed"]
    assert heard[2]["error"] == "wrong"
    assert heard[3]["result"]["status"] == "failed"
    assert heard[3]["result"]["error"] == "wrong"


def test_a_cancel_ends_the_running_stage_before_it_is_told() -> None:
    """What the stage does while it is being stopped is not told any more."""
    course = states(
        [
            BEGAN,
            *stage(0),
            StageStarted(ID, AT, 1),
            CancelRequested(ID, AT),
            said(ID, AT, 1, "last words"),
            StageCompleted(ID, AT, 1, "done all the same"),
            FINISHED,
        ]
    )
    heard = told(course)
    assert types(heard)[4:] == [
        "stage:started",
        "stage:failed",
        "execution:cancelled",
        "execution:completed",
    ]
    assert heard[5]["error"] == "Cancelled"
    assert heard[-1]["result"]["status"] == "cancelled"


def test_a_cancelled_stage_has_failed_for_the_old_clients() -> None:
    """They know no other word, whether or not they have seen the moment of the cancel."""
    course = states(
        [
            BEGAN,
            StageStarted(ID, AT, 0),
            CancelRequested(ID, AT),
            StageCancelled(ID, AT, 0),
            FINISHED,
        ]
    )
    assert news(None, course[-1]) == told(course)


def test_an_execution_that_is_cancelled_while_it_waits_has_no_stages_to_tell_of() -> None:
    """Started, cancelled, completed."""
    heard = told(states([CancelRequested(ID, AT)]))
    assert types(heard) == ["execution:started", "execution:cancelled", "execution:completed"]


def test_what_was_taken_over_from_an_older_execution_is_told_at_the_start() -> None:
    """A retry from the second stage: the page shows the first as completed."""
    old = states([BEGAN, *stage(0)])[-1]
    heard = news(None, an_execution(stages=(old.stages[0], an_execution().stages[1])))
    assert types(heard)[1:] == ["stage:started", "stage:output", "stage:completed"]


INDEXES = st.integers(0, 2)
TIMES = st.integers(AT, AT + 1000)
EVENTS = st.one_of(
    st.builds(Began, st.just(ID), TIMES),
    st.builds(StageStarted, st.just(ID), TIMES, INDEXES),
    st.builds(said, st.just(ID), TIMES, INDEXES, st.sampled_from(["", "a", "b" * 60_000])),
    st.builds(StageRetrying, st.just(ID), TIMES, INDEXES, st.just(WRONG)),
    st.builds(StageCompleted, st.just(ID), TIMES, INDEXES, st.sampled_from(["text", {"a": 1}])),
    st.builds(StageSkipped, st.just(ID), TIMES, INDEXES, st.just("skipped")),
    st.builds(StageFailed, st.just(ID), TIMES, INDEXES, st.just(WRONG)),
    st.builds(StageCancelled, st.just(ID), TIMES, INDEXES),
    st.builds(CancelRequested, st.just(ID), TIMES),
    st.builds(Ended, st.just(ID), TIMES, st.just(Status.COMPLETED), st.just(EndReason.FINISHED)),
    st.builds(Ended, st.just(ID), TIMES, st.just(Status.COMPLETED), st.just(EndReason.EARLY_EXIT)),
    st.builds(Ended, st.just(ID), TIMES, st.just(Status.FAILED), st.just(EndReason.TIMEOUT)),
)
# Random events alone seldom come far: they are mixed into a run that does.
COURSES = st.lists(st.lists(EVENTS, max_size=3), min_size=12, max_size=12).map(
    lambda mixed: [
        event
        for some, next in zip(
            mixed, [BEGAN, *stage(0), *stage(1), *stage(2), FINISHED, FINISHED], strict=True
        )
        for event in (*some, next)
    ]
)


@settings(deadline=None)
@given(COURSES, st.data())
def test_whatever_states_are_seen_the_order_holds(course: list[Event], data: Any) -> None:
    """Any events, and any of the states between them: what is heard is always in order."""
    passed = states(course, an_execution(ID, "one", "two", "three"))
    seen = [state for state in passed if data.draw(st.booleans())] or [passed[-1]]
    heard = told(seen)
    _check_execution_events(heard, seen[-1])
    for run in seen[-1].stages:
        _check_stage_events(heard, run.id)


@settings(deadline=None)
@given(COURSES)
def test_whoever_sees_only_the_end_hears_of_every_stage_that_ever_began(
    course: list[Event],
) -> None:
    """No stage that is over is left out, and none that has not begun is told of."""
    end = states(course, an_execution(ID, "one", "two", "three"))[-1]
    begun = [run.id for run in end.stages if run.status != "PENDING"]
    over = [run.id for run in end.stages if run.status not in ("PENDING", "RUNNING")]
    heard = news(None, end)
    assert [one["stage"]["id"] for one in heard if one["type"] == "stage:started"] == begun
    ended = [one["stage"]["id"] for one in heard if one["type"] in ENDS]
    assert ended == (begun if end.status in ("CANCELLING", "CANCELLED") else over)


def _check_execution_events(heard: list[dict[str, Any]], end: Execution) -> None:
    said = types(heard)
    assert said[0] == "execution:started"
    assert said.count("execution:started") == 1
    assert said.count("execution:completed") == end.status.terminal
    if end.status.terminal:
        assert said[-1] == "execution:completed"
        assert heard[-1]["result"]["status"] in RESULT_WORDS[end.status]
    cancelled = end.status in ("CANCELLING", "CANCELLED")
    assert said.count("execution:cancelled") == cancelled
    if cancelled:
        after = said[said.index("execution:cancelled") + 1 :]
        assert after == ["execution:completed"] * end.status.terminal


def _check_stage_events(heard: list[dict[str, Any]], id: str) -> None:
    own = types(
        one for one in heard if one.get("stageId") == id or one.get("stage", {}).get("id") == id
    )
    closing = [type for type in own if type in ENDS]
    assert len(closing) <= 1
    if own:
        output = ["stage:output"] if "stage:output" in own else []
        assert own == ["stage:started", *output, *closing]
        assert not output or closing in (["stage:completed"], ["stage:failed"])
    if own and types(heard)[-1] == "execution:completed":
        assert closing
