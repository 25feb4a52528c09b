"""Which executions a reader sees."""

import pytest
from hypothesis import given, strategies as st
from runcast.core.errors import InvalidInput
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Status
from samples import an_execution

STATUSES = st.none() | st.frozensets(st.sampled_from(Status))
RUNNING = an_execution(
    "exec_Ab1",
    status=Status.RUNNING,
    pipeline_id="demo",
    pipeline_name="Straße",
    input_preview="Fix the BUG",
    labels=(("team", "a"), ("env", "prod")),
    started_at=1000,
)


@given(st.sampled_from(Status), STATUSES, STATUSES)
def test_a_status_is_admitted_if_it_is_wanted_and_not_unwanted(
    status: Status, wanted: frozenset[Status] | None, unwanted: frozenset[Status] | None
) -> None:
    """None gives no condition, an empty set of wanted ones admits nothing."""
    admits = ExecutionFilter(status=wanted, not_status=unwanted).admits(status)
    assert admits == ((wanted is None or status in wanted) and status not in (unwanted or ()))


@pytest.mark.parametrize(
    ("filter", "matches"),
    [
        (EVERYTHING, True),
        (ExecutionFilter(pipeline_id=frozenset({"demo", "other"})), True),
        (ExecutionFilter(pipeline_id=frozenset({"other"})), False),
        (ExecutionFilter(pipeline_id=frozenset()), False),
        (ExecutionFilter(labels=(("team", "a"),)), True),
        (ExecutionFilter(labels=(("env", "prod"), ("team", "a"))), True),
        (ExecutionFilter(labels=(("team", "a"), ("env", "test"))), False),
        (ExecutionFilter(labels=(("team", "prod"),)), False),
        (ExecutionFilter(text="aB1"), True),
        (ExecutionFilter(text="STRASSE"), True),
        (ExecutionFilter(text="the bug"), True),
        (ExecutionFilter(text="hello"), False),
        (ExecutionFilter(text=""), True),
        (ExecutionFilter(started_after=999), True),
        (ExecutionFilter(started_after=1000), False),
        (ExecutionFilter(started_before=1001), True),
        (ExecutionFilter(started_before=1000), False),
        (ExecutionFilter(status=frozenset({Status.RUNNING}), text="nothing"), False),
        (ExecutionFilter(status=frozenset({Status.QUEUED})), False),
    ],
)
def test_everything_that_is_given_must_hold(filter: ExecutionFilter, matches: bool) -> None:
    """Text is sought in id, pipeline name and input preview, times are exclusive."""
    assert filter.matches(RUNNING) is matches
    admitted = filter.statuses is None or RUNNING.status in filter.statuses
    assert (admitted and list(filter.matching([RUNNING])) == [RUNNING]) is matches


def test_a_text_has_a_bound() -> None:
    """It is looked for in every execution of a list."""
    assert ExecutionFilter(text="Ä" * 200).text == "ä" * 200
    with pytest.raises(InvalidInput, match="text can have 200 characters, not 201") as refused:
        ExecutionFilter(text="x" * 201)
    assert refused.value.path == ("filter", "text")


@given(STATUSES, STATUSES)
def test_of_any_status_keeps_the_other_conditions(
    wanted: frozenset[Status] | None, unwanted: frozenset[Status] | None
) -> None:
    """What status counts count does not depend on the statuses that are shown."""
    matching = ExecutionFilter(status=wanted, not_status=unwanted, text="bug").of_any_status()
    assert matching.matches(RUNNING)
    assert not ExecutionFilter(status=wanted, text="nothing").of_any_status().matches(RUNNING)
