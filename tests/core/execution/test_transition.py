"""What an event makes of an execution."""

from dataclasses import replace

import pytest
from runcast.core.errors import IllegalMove, NotFound
from runcast.core.execution.events import Began, CancelRequested, StageSkipped, Submitted
from runcast.core.execution.transition import applied
from samples import an_execution

ID = "exec_1"


def test_each_event_is_one_step_of_the_sequence() -> None:
    """Whatever kind of event it is; the execution before it stays as it was."""
    before = an_execution(ID)
    execution, sequences = before, []
    for event in (Began(ID, 1), StageSkipped(ID, 2, 0, "no need"), CancelRequested(ID, 3)):
        execution = applied(event, execution)
        sequences.append(execution.sequence)
    assert sequences == [2, 3, 4]
    assert before == an_execution(ID)


def test_it_is_what_the_event_says_and_the_number() -> None:
    """Nothing else is changed."""
    before, event = replace(an_execution(ID), sequence=7), Began(ID, 1)
    assert applied(event, before) == replace(event.after(before), sequence=8)


def test_only_a_submission_begins_an_execution() -> None:
    """As it was submitted; every other event needs one that is there."""
    execution = an_execution(ID)
    assert applied(Submitted(ID, 1, execution), None) is execution
    for event in (Began(ID, 1), CancelRequested(ID, 1), StageSkipped(ID, 1, 0, "no need")):
        with pytest.raises(NotFound):
            applied(event, None)


def test_what_cannot_happen_raises() -> None:
    """The state machine is asked, not the caller."""
    for event in (StageSkipped(ID, 1, 0, "no need"), Submitted(ID, 1, an_execution(ID))):
        with pytest.raises(IllegalMove):
            applied(event, an_execution(ID))
