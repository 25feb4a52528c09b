"""The history forgets by time that has passed, and not by what the wall clock says."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from history_database import HistoryDatabase
from runcast.core.clock import SystemClock
from runcast.core.execution.events import Began, CancelRequested, StageRetrying, StageStarted
from runcast.core.execution.filter import EVERYTHING
from runcast.core.execution.model import Failure, Status
from runcast.core.execution.transition import applied
from runcast.core.history.store import HistoryStore
from samples import an_execution
from shifting_clock import DAY, YEAR, Machine

WEEK = 7 * DAY
MAX_RECORDS = 1000
MAX_AGE = 90 * DAY


class Process:
    """One that has the history open, from its own start on."""

    def __init__(self, store: HistoryStore, clock: SystemClock) -> None:
        self.store = store
        self.clock = clock

    def ends(self, *names: str) -> None:
        """Executions of these names end now."""
        now = self.clock.now()
        self.store.write(
            an_execution(name, status=Status.COMPLETED, started_at=now - 5, ended_at=now)
            for name in names
        )

    def prunes(self, max_records: int = MAX_RECORDS, max_age: float = MAX_AGE) -> None:
        while self.store.prune(max_records, max_age):
            pass

    @property
    def names(self) -> set[str]:
        """What is left."""
        found, _ = self.store.reader.ended({}, EVERYTHING, 0, 2000)
        return {execution.id for execution in found}


@contextmanager
def process(database: HistoryDatabase, machine: Machine) -> Iterator[Process]:
    clock = SystemClock(machine.wall, machine.measured)
    with closing(database.store(clock, WEEK)) as store:
        assert not store.settle(())
        yield Process(store, clock)


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 30 * YEAR, -DAY, DAY])
def test_a_jump_while_it_runs_forgets_nothing(database: HistoryDatabase, jump: float) -> None:
    """There and back."""
    machine = Machine()
    with process(database, machine) as running:
        running.ends("before")
        for shift in (jump, -jump):
            machine.shift(shift)
            machine.pass_by(60)
            running.ends(f"after {shift}")
            running.prunes()
        assert running.names == {"before", f"after {jump}", f"after {-jump}"}


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 30 * YEAR, -DAY])
def test_a_restart_while_the_wall_clock_is_wrong_forgets_nothing(
    database: HistoryDatabase, jump: float
) -> None:
    """Nor does the one after it was set right, nor several that had it wrong."""
    machine = Machine()
    with process(database, machine) as first:
        first.ends("before")
    machine.shift(jump)
    for name in ("wrong", "wrong again"):
        with process(database, machine) as wrong:
            wrong.prunes()
            machine.pass_by(3600)
            wrong.ends(name)
            wrong.prunes()
    machine.shift(-jump)
    with process(database, machine) as right:
        right.prunes()
        machine.pass_by(3600)
        right.ends("after")
        right.prunes()
        assert right.names == {"before", "wrong", "wrong again", "after"}


@pytest.mark.parametrize("jump", [YEAR, -YEAR, -DAY])
def test_the_newest_are_those_that_ended_last(database: HistoryDatabase, jump: float) -> None:
    """Whatever the wall clock said then."""
    machine = Machine()
    for number, shift in enumerate((0, jump, -jump, jump)):
        machine.shift(shift)
        with process(database, machine) as one:
            one.prunes()
            machine.pass_by(60)
            one.ends(str(number))
            one.prunes(max_records=2)
            assert one.names == {str(left) for left in (number - 1, number) if left >= 0}


def test_time_that_was_measured_makes_old(database: HistoryDatabase) -> None:
    """Also while the wall clock is wrong, and what has ended under a wrong one."""
    machine = Machine()
    with process(database, machine) as one:
        one.ends("first")
    machine.shift(YEAR)
    with process(database, machine) as one:
        machine.pass_by(60 * DAY)
        one.ends("second")
        one.prunes()
        assert one.names == {"first", "second"}
        machine.pass_by(31 * DAY)
        one.prunes()
        assert one.names == {"second"}
    machine.shift(-YEAR)
    with process(database, machine) as one:
        one.prunes()
        machine.pass_by(58 * DAY)
        one.prunes()
        assert one.names == {"second"}
        machine.pass_by(2 * DAY)
        one.prunes()
        assert one.names == set()


def test_a_short_pause_counts_and_a_long_one_does_not(database: HistoryDatabase) -> None:
    """A long one may be a wall clock that is wrong: nobody has measured it."""
    machine = Machine()
    with process(database, machine) as one:
        one.ends("first")
    for _ in range(12):
        machine.pass_by(WEEK)
        with process(database, machine) as one:
            one.prunes()
    machine.pass_by(WEEK + 1)
    with process(database, machine) as one:
        one.prunes()
        assert one.names == {"first"}
    machine.pass_by(6 * DAY + 1)
    with process(database, machine) as one:
        one.prunes()
        assert one.names == set()


def test_what_a_crash_left_open_ends_after_it_began(database: HistoryDatabase) -> None:
    """Though the wall clock was put back a year between the two."""
    machine = Machine()
    with process(database, machine) as crashed:
        now = crashed.clock.now()
        running = an_execution("exec_1", started_at=now)
        running = applied(Began("exec_1", now + 10), running)
        for event in (
            StageStarted("exec_1", now + 20, 0),
            StageRetrying("exec_1", now + 30, 0, Failure("Error", "no"), now + 90),
            StageStarted("exec_1", now + 40, 0, 2),
        ):
            running = applied(event, running)
        stopping = an_execution("exec_2", started_at=now)
        stopping = applied(Began("exec_2", now + 10), stopping)
        stopping = applied(CancelRequested("exec_2", now + 30), stopping)
        crashed.store.write([running, stopping])
    machine.shift(-YEAR)
    with process(database, machine) as one:
        first, second = (one.store.reader.get(f"exec_{n}") for n in (1, 2))
        assert first and second
        assert first.ended_at == first.stages[0].ended_at == now + 40
        assert first.stages[0].attempts[1].ended_at == now + 40
        assert first.stages[0].duration_ms == 20
        assert second.ended_at == now + 30
        assert second.cancellation and second.cancellation.stopped_after == 0
        # It counts as ended now, and goes when its time has come.
        one.prunes()
        machine.pass_by(MAX_AGE + 1)
        one.prunes()
        assert one.names == set()
