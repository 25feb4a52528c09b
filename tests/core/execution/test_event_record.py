"""Events as JSON."""

import inspect
import json
from typing import Any

import pytest
from executions_at_random import EXECUTIONS, FAILURES, FLOATS, TEXTS, TIMES, VALUES, optional
from hypothesis import given, strategies as st
from runcast.core.execution import events
from runcast.core.execution.event_record import TYPES, VERSION, dump, load
from runcast.core.execution.events import Event, StageStarted
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.model import EndReason, Status, Usage
from samples import an_execution

PIECES = st.builds(LogPiece, TIMES, st.sampled_from(LogStream), TEXTS, TIMES)
OF: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "Submitted": (EXECUTIONS,),
    "Began": (),
    "CancelRequested": (optional(TEXTS), st.booleans()),
    "Ended": (
        st.sampled_from(Status),
        st.sampled_from(EndReason),
        VALUES,
        optional(FAILURES),
        optional(TEXTS),
    ),
    "StageStarted": (TIMES, st.integers(1, 9), optional(TEXTS)),
    "StageLogged": (TIMES, PIECES, TIMES, st.booleans()),
    "StageProgressed": (TIMES, FLOATS),
    "StageRetrying": (TIMES, FAILURES, TIMES),
    "StageCompleted": (TIMES, VALUES, st.builds(Usage, TIMES, TIMES, FLOATS), optional(TEXTS)),
    "StageSkipped": (TIMES, TEXTS),
    "StageFailed": (TIMES, FAILURES),
    "StageCancelled": (TIMES,),
}
EVENTS = st.one_of(*(st.builds(TYPES[name], TEXTS, TIMES, *of) for name, of in OF.items()))


def test_every_event_has_a_name_here() -> None:
    """One that is added later, too."""
    there = {
        name
        for name, each in inspect.getmembers(events, inspect.isclass)
        if issubclass(each, Event) and not inspect.isabstract(each)
    }
    assert set(TYPES) == set(OF) == there


@given(EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    """With everything in it: half surrogate pairs, values in files, large integers."""
    assert load(dump(event)) == event


def test_an_event_of_a_later_version_is_refused() -> None:
    """What it means is not known here; a key that has come since is passed over."""
    event = StageStarted("exec_1", 5, 0, 2)
    written = json.loads(dump(event))
    written["event"]["since"] = 1
    assert load(json.dumps(written).encode()) == event
    written["version"] = VERSION + 1
    with pytest.raises(ValueError, match="version"):
        load(json.dumps(written).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"version": 1, "type": "Event", "event": {}}'],
    ids=lambda content: content.decode(),
)
def test_what_is_no_event_is_refused(content: bytes) -> None:
    """Also what only looks like one."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        load(content)


def test_what_is_sent_is_small() -> None:
    """A message of a broker has a megabyte, and a subject a few hundred a second."""
    assert (
        len(dump(TYPES["StageStarted"]("exec_1795948659677_iave846r", 1_795_948_659_677, 3))) < 200
    )
    assert len(dump(events.Submitted("exec_1", 1, an_execution()))) < 1500
