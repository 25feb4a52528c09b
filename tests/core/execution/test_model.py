"""Executions and the table of their moves."""

from collections.abc import Mapping

import pytest
from runcast.core.errors import IllegalMove
from runcast.core.execution.model import MOVES, STAGE_MOVES, StageRun, StageStatus, Status, Usage
from samples import an_execution

TABLES = [(MOVES, Status), (STAGE_MOVES, StageStatus)]


@pytest.mark.parametrize(("table", "statuses"), TABLES, ids=["executions", "stages"])
def test_the_table_names_every_status_and_leads_only_to_statuses(
    table: Mapping[Status, frozenset[Status]], statuses: type[Status]
) -> None:
    """No status is forgotten in it."""
    assert set(table) == set(statuses)
    assert set().union(*table.values()) <= set(statuses)


def test_three_statuses_are_final() -> None:
    """Terminal is what the table has no move from."""
    ends = {Status.COMPLETED, Status.FAILED, Status.CANCELLED}
    assert {status for status in Status if status.terminal} == ends


def test_four_statuses_of_stages_are_final() -> None:
    """All but PENDING and RUNNING."""
    ongoing = {StageStatus.PENDING, StageStatus.RUNNING}
    assert {status for status in StageStatus if not status.terminal} == ongoing


@pytest.mark.parametrize(("table", "statuses"), TABLES, ids=["executions", "stages"])
def test_every_status_is_reached_from_the_first_and_reaches_an_end(
    table: Mapping[Status, frozenset[Status]], statuses: type[Status]
) -> None:
    """No status is an island and none is a trap."""

    def reachable(status: Status) -> set[Status]:
        found, fresh = {status}, {status}
        while fresh:
            fresh = set().union(*(table[one] for one in fresh)) - found
            found |= fresh
        return found

    first = next(iter(statuses))
    assert reachable(first) == set(statuses)
    assert all(any(end.terminal for end in reachable(status)) for status in statuses)


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_an_execution_moves_as_the_table_says(before: Status, after: Status) -> None:
    """What the table lacks raises, what it has gives a new value; the old one stays."""
    execution = an_execution(status=before)
    if after in MOVES[before]:
        assert execution.moved(after).status is after
    else:
        with pytest.raises(IllegalMove):
            execution.moved(after)
    assert execution.status is before


def test_usage_is_the_sum_over_the_stages() -> None:
    """Tokens and dollars add up."""
    used = (Usage(1, 2, 0.5), Usage(10, 20, 0.25))
    stages = tuple(StageRun(str(n), str(n), "python", usage=one) for n, one in enumerate(used))
    assert an_execution(stages=stages).usage == Usage(11, 22, 0.75)
    assert an_execution(stages=()).usage == Usage()


@pytest.mark.parametrize(
    ("moments", "queued", "lasted"),
    [
        ({}, 900, 0),
        ({"began_at": 1700}, 700, 200),
        ({"began_at": 1700, "ended_at": 1750}, 700, 50),
        ({"ended_at": 1400}, 400, 0),
        ({"began_at": 1000, "ended_at": 1000}, 0, 0),
    ],
    ids=["waits", "runs", "has run", "never ran", "at once"],
)
def test_waiting_is_not_running(moments: dict[str, int], queued: int, lasted: int) -> None:
    """So far, or in total; together they are all the time that there was."""
    execution = an_execution(started_at=1000, **moments)
    assert (execution.queued_ms(1900), execution.duration_ms(1900)) == (queued, lasted)
    assert queued + lasted == moments.get("ended_at", 1900) - 1000


def test_no_duration_is_negative() -> None:
    """Also where the moments were told by clocks that did not agree."""
    for moments in ({"began_at": 900}, {"began_at": 900, "ended_at": 800}, {"ended_at": 10}):
        execution = an_execution(started_at=1000, **moments)
        assert execution.queued_ms(500) == 0
        assert execution.duration_ms(500) == 0
    assert StageRun("a", "a", "python", started_at=5, ended_at=4).duration_ms == 0


def test_a_stage_has_a_duration_only_at_its_end() -> None:
    """From its first attempt on."""
    assert StageRun("a", "a", "python", started_at=5).duration_ms is None
    assert StageRun("a", "a", "python", started_at=5, ended_at=12).duration_ms == 7


def test_the_running_stage_is_found_by_its_index() -> None:
    """None while none runs."""
    execution = an_execution("exec_1", "a", "b")
    assert execution.running_stage is None
    running = StageRun("b", "b", "python", StageStatus.RUNNING)
    assert execution.with_stage(1, running).running_stage == 1
    assert execution.total_stages == 2
