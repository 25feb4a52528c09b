"""The clock: wall time at the start, and from then on what was measured."""

import itertools
import sys
import time

import pytest
from runcast.core.clock import SystemClock, measured_ns
from shifting_clock import DAY, YEAR, Machine


def test_it_tells_the_wall_clock_of_its_start_and_what_was_measured_since() -> None:
    """In milliseconds, and to the millisecond."""
    machine = Machine()
    clock = SystemClock(machine.wall, machine.measured)
    assert clock.now() == machine.wall() // 1_000_000
    before, ticks = clock.now(), clock.monotonic()
    machine.pass_by(1.25)
    assert clock.now() - before == 1250
    assert clock.monotonic() - ticks == 1.25


@pytest.mark.parametrize("jump", [YEAR, -YEAR, DAY, -DAY, 61.0, -61.0])
def test_no_jump_of_the_wall_clock_moves_it(jump: float) -> None:
    """There and back; `deviation` alone says that it was there."""
    machine = Machine()
    clock = SystemClock(machine.wall, machine.measured)
    began = clock.now()
    for shift in (jump, -jump):
        assert clock.deviation() == 0
        machine.shift(shift)
        assert clock.deviation() == shift
        assert clock.now() == began
        machine.pass_by(2)
        assert clock.now() == began + 2000
        assert clock.deviation() == shift
        machine.shift(-shift)
        began += 2000


def test_it_never_goes_back() -> None:
    """Nor does it stand still, as one does that waits for the wall clock to come after it."""
    machine = Machine()
    clock = SystemClock(machine.wall, machine.measured)
    told = []
    for shift in (YEAR, -YEAR, -DAY, DAY):
        machine.shift(shift)
        machine.pass_by(0.5)
        told.append(clock.now())
    assert [later - earlier for earlier, later in itertools.pairwise(told)] == [500] * 3


def test_the_machine_has_such_clocks() -> None:
    """The real ones: it is now, and time passes."""
    clock = SystemClock()
    assert abs(clock.now() / 1000 - time.time()) < 5
    assert abs(clock.deviation()) < 5
    before = clock.monotonic()
    assert clock.monotonic() >= before
    assert measured_ns() >= before * 1e9 - 1000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a clock")
def test_suspension_counts() -> None:
    """Time is measured by the clock that does not stop when the machine sleeps."""
    assert abs(measured_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 10**9
