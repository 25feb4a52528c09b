"""A filtered list that is followed."""

from hypothesis import given, strategies as st
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Execution, Status
from runcast.core.live.listing import ListChange, Mirror
from samples import an_execution

RUNNING_ONLY = ExecutionFilter(status=frozenset({Status.RUNNING}), text="exec_")


def at(status: Status, id: str = "exec_1", sequence: int = 2) -> Execution:
    return an_execution(id, status=status, sequence=sequence)


def test_a_mirror_says_what_is_new_to_its_reader() -> None:
    """In, changed, out, and nothing for what was never in."""
    mirror = Mirror(RUNNING_ONLY)
    assert mirror.take(at(Status.QUEUED), present=True) is None
    assert mirror.take(at(Status.RUNNING), present=True) is ListChange.ENTERED
    assert mirror.take(at(Status.RUNNING), present=True) is ListChange.UPDATED
    assert mirror.take(at(Status.COMPLETED), present=True) is ListChange.LEFT
    assert mirror.take(at(Status.COMPLETED), present=False) is None
    assert Mirror(EVERYTHING).take(at(Status.RUNNING), present=False) is None


def test_a_listed_execution_that_is_gone_has_left() -> None:
    """Though it matches the filter."""
    mirror = Mirror(EVERYTHING)
    mirror.take(at(Status.COMPLETED), present=True)
    assert mirror.take(at(Status.COMPLETED), present=False) is ListChange.LEFT
    assert set(mirror.counts.values()) == {0}
    assert not mirror.lists(at(Status.COMPLETED))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["exec_1", "exec_2", "other"]), st.sampled_from(Status), st.booleans()
    )
)


@given(STEPS)
def test_counts_tell_the_statuses_of_all_that_match_but_for_their_status(
    steps: list[tuple[str, Status, bool]],
) -> None:
    """Whatever statuses the filter asks for; the mirror holds nothing of what is gone."""
    mirror = Mirror(RUNNING_ONLY)
    there: dict[str, Status] = {}
    for id, status, present in steps:
        mirror.take(at(status, id), present=present)
        there.pop(id, None)
        if present and id.startswith("exec_"):
            there[id] = status
    counted = {status: list(there.values()).count(status) for status in Status}
    assert mirror.counts == counted
    assert set(mirror._counted) == set(there)
    assert mirror._listed == {id for id, status in there.items() if status is Status.RUNNING}
