"""A filtered list that is followed."""

from hypothesis import given, strategies as st
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import Execution, Status
from runcast.core.live.listing import ListChange, Listing
from samples import an_execution

RUNNING_ONLY = ExecutionFilter(status=frozenset({Status.RUNNING}), text="exec_")
NOTHING = dict.fromkeys(Status, 0)


def at(status: Status, id: str = "exec_1") -> Execution:
    return an_execution(id, status=status, sequence=2)


def test_a_listing_says_what_is_new_to_its_reader() -> None:
    """In, changed, out, and nothing for what was never in."""
    listing = Listing(RUNNING_ONLY, NOTHING)

    def take(was: Status | None, status: Status) -> ListChange | None:
        return listing.take(at(status), was, status)

    assert take(None, Status.QUEUED) is None
    assert take(Status.QUEUED, Status.RUNNING) is ListChange.ENTERED
    assert take(Status.RUNNING, Status.RUNNING) is ListChange.UPDATED
    assert take(Status.RUNNING, Status.COMPLETED) is ListChange.LEFT
    assert listing.take(at(Status.COMPLETED), Status.COMPLETED, None) is None
    other = at(Status.RUNNING, "other")
    assert listing.take(other, Status.QUEUED, Status.RUNNING) is None


def test_a_listed_execution_that_is_gone_has_left() -> None:
    """Though it matches the filter."""
    listing = Listing(EVERYTHING, NOTHING)
    listing.take(at(Status.COMPLETED), None, Status.COMPLETED)
    assert listing.take(at(Status.COMPLETED), Status.COMPLETED, None) is ListChange.LEFT
    assert set(listing.counts.values()) == {0}


STEPS = st.lists(
    st.tuples(st.sampled_from(["exec_1", "exec_2", "other"]), st.none() | st.sampled_from(Status))
)


@given(STEPS)
def test_counts_tell_the_statuses_of_all_that_match_but_for_their_status(
    steps: list[tuple[str, Status | None]],
) -> None:
    """Whatever statuses the filter asks for. Counts that were sent stay as they were."""
    listing = Listing(RUNNING_ONLY, NOTHING)
    there: dict[str, Status] = {}
    told = []
    for id, status in steps:
        was = there.pop(id, None)
        listing.take(at(status or Status.COMPLETED, id), was, status)
        if status is not None:
            there[id] = status
        counted = [one for id, one in there.items() if id.startswith("exec_")]
        told.append((listing.counts, {status: counted.count(status) for status in Status}))
    assert all(counts == expected for counts, expected in told)
