"""Catching up with what has happened to one execution."""

import pytest
from runcast.core.execution.change import Change
from runcast.core.execution.events import (
    Began,
    Ended,
    Event,
    StageCompleted,
    StageStarted,
    Submitted,
)
from runcast.core.execution.model import EndReason, Status
from runcast.core.execution.transition import applied
from runcast.core.live import ring as rings
from runcast.core.live.ring import Ring
from samples import an_execution, said

ID = "exec_1"
EVENTS: list[Event] = [
    Submitted(ID, 1, an_execution(ID)),
    Began(ID, 2),
    StageStarted(ID, 3, 0),
    said(ID, 4, 0, "hello\n"),
    said(ID, 5, 0, "and more\n", 6),
    StageCompleted(ID, 6, 0, value="hello\nand more\n"),
    StageStarted(ID, 7, 1),
    StageCompleted(ID, 8, 1, value={"of": ["the", "end"]}),
    Ended(ID, 9, Status.COMPLETED, EndReason.FINISHED, output={"of": ["the", "end"]}),
]


def happened() -> list[Change]:
    """The changes as their watchers were sent them."""
    state, changes = None, []
    for event in EVENTS:
        state = applied(event, state)
        changes.append(Change.of(event, state))
    return changes


@pytest.mark.parametrize("size", range(1, len(EVENTS) + 2))
def test_what_is_caught_up_with_is_what_has_happened(size: int) -> None:
    """To the letter, however many changes there is room for."""
    ring = Ring()
    for event in EVENTS:
        ring.add(event, size)
    assert ring.changes() == happened()[-size:]
    assert ring.first == max(1, len(EVENTS) - size + 1)
    assert len(ring) == min(size, len(EVENTS))


def test_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest change stays in any case, and nothing is weighed that has gone."""
    monkeypatch.setattr(rings, "RING_BYTES", 10)
    ring = Ring()
    for event in EVENTS[:5]:
        ring.add(event, 100)
    assert ring.changes() == happened()[4:5]
    for event in EVENTS[5:]:
        ring.add(event, 3)
    assert ring.weight == 0
