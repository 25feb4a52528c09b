"""How many connections there may be, and who goes for another."""

from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st
from runcast.server.connections.descriptors import (
    BACKLOG,
    OWN,
    PER_EXECUTION,
    Share,
    shared,
)
from runcast.server.connections.open_connections import OpenConnections

MOST, STRANGERS = 6, 3


@dataclass(eq=False)
class Line:
    """A connection."""

    name: str
    idle: bool = True
    is_open: bool = True

    def abort(self) -> None:
        self.is_open = False


def entered(connections: OpenConnections, *names: str, idle: bool = True) -> dict[str, Line]:
    """Those who have come one after the other, whether or not there was room."""
    lines = {name: Line(name, idle) for name in names}
    for line in lines.values():
        line.is_open = connections.enter(line)
    return lines


def names(lines: dict[str, Line]) -> str:
    """Of those who are there."""
    return "".join(name for name, line in lines.items() if line.is_open)


@pytest.fixture
def connections() -> OpenConnections:
    """Room for six, of which three may be strangers."""
    return OpenConnections(MOST, STRANGERS)


def test_the_oldest_stranger_goes(connections: OpenConnections) -> None:
    """Whoever is known stays, although there is room for more of them."""
    known = entered(connections, *"xy")
    for line in known.values():
        connections.admit(line)
    strangers = entered(connections, *"abcde")
    assert (names(known), names(strangers)) == ("xy", "cde")
    assert len(connections) == 5


def test_one_to_whom_something_is_due_stays(connections: OpenConnections) -> None:
    """The next one goes in its place; if there is none, who comes has no room."""
    strangers = entered(connections, *"ab", idle=False) | entered(connections, *"cd")
    assert names(strangers) == "abd"
    strangers["d"].idle = False
    assert names(entered(connections, "e")) == ""
    assert len(connections) == STRANGERS


def test_among_the_known_the_oldest_idle_one_goes(connections: OpenConnections) -> None:
    """If they take up everything; strangers go first."""
    known = entered(connections, "a", idle=False)
    connections.admit(known["a"])
    for name in "bcde":
        known |= entered(connections, name)
        connections.admit(known[name])
    strangers = entered(connections, *"xy")
    assert (names(known), names(strangers)) == ("abcde", "y")
    connections.admit(strangers["y"])
    assert names(entered(connections, "z")) == "z"
    assert names(known) == "acde"


def test_who_leaves_makes_room(connections: OpenConnections) -> None:
    """Once, however often it is said."""
    strangers = entered(connections, *"abc", idle=False)
    for _ in range(2):
        connections.leave(strangers["b"])
    assert names(entered(connections, *"de", idle=False)) == "d"


def test_who_has_gone_is_not_admitted(connections: OpenConnections) -> None:
    """An answer may come to its end after its connection."""
    line = entered(connections, "a")["a"]
    connections.leave(line)
    assert not connections.admit(line)
    assert len(connections) == 0


STEPS = st.lists(st.tuples(st.sampled_from(["come", "admit", "leave"]), st.integers(0, 30)))


@given(STEPS, st.integers(1, 5), st.integers(1, 9))
def test_there_are_never_more(steps: list[tuple[str, int]], most: int, most_strangers: int) -> None:
    """Whatever happens; and everyone who is open is counted."""
    connections = OpenConnections(most, most_strangers)
    lines: list[Line] = []
    for step, number in steps:
        if step == "come":
            lines.append(Line(str(len(lines)), idle=number % 3 > 0))
            lines[-1].is_open = connections.enter(lines[-1])
        elif lines and (line := lines[number % len(lines)]).is_open:
            if step == "leave":
                line.abort()
                connections.leave(line)
            else:
                assert connections.admit(line)
        assert len(connections) == sum(line.is_open for line in lines) <= most


@given(st.integers(16, 20_000), st.integers(1, 10_000), st.integers(1, 10_000))
def test_what_is_put_aside(limit: int, most: int, executions: int) -> None:
    """Connections, those that come in one moment and the rest fit in; nothing is without any."""
    share = shared(limit, most, executions)
    assert 0 < share.connections <= most
    assert 0 < share.backlog <= BACKLOG
    left = limit - share.connections - share.backlog
    assert left >= min(OWN + PER_EXECUTION * executions, limit // 2)


def test_with_a_high_limit_everybody_has_what_is_wanted() -> None:
    """No more than that is taken."""
    enough = OWN + PER_EXECUTION * 16 + 4 * BACKLOG
    assert shared(enough, 4000, 16) == Share(4000, BACKLOG)
