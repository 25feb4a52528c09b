"""A wall clock that is wrong is said, once for each change."""

import logging

import pytest
from patience import turns
from runcast.core import wall_clock
from runcast.core.clock import SystemClock
from runcast.core.wall_clock import TOLERANCE_SECONDS, WallClockWatch
from shifting_clock import DAY, YEAR, Machine


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def watch(machine: Machine, caplog: pytest.LogCaptureFixture) -> WallClockWatch:
    caplog.set_level(logging.INFO, "runcast.clock")
    return WallClockWatch(SystemClock(machine.wall, machine.measured))


def test_each_change_is_said_once(
    machine: Machine, watch: WallClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A year ahead, back again, a day behind; nothing is said while nothing changes."""
    said = []
    for shift in (0, YEAR, 0, 0, -YEAR, 0, -DAY, 0, -DAY, 2 * DAY):
        machine.shift(shift)
        machine.pass_by(30)
        watch.look()
        said.append([record.message.split(" the server's")[0] for record in caplog.records])
        caplog.clear()
    clock = "the machine's clock"
    assert said == [
        [],
        [f"{clock} is 365 days, 0:00:00 ahead of"],
        [],
        [],
        [f"{clock} agrees with"],
        [],
        [f"{clock} is 1 day, 0:00:00 behind"],
        [],
        [f"{clock} is 2 days, 0:00:00 behind"],
        [f"{clock} agrees with"],
    ]


def test_warnings_are_warnings(
    machine: Machine, watch: WallClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That all is well again is not one."""
    for shift in (YEAR, -YEAR):
        machine.shift(shift)
        watch.look()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_what_is_small_is_no_problem(
    machine: Machine, watch: WallClockWatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Clocks are set right by seconds all the time; many small steps are a large one."""
    machine.shift(TOLERANCE_SECONDS)
    watch.look()
    assert watch.problem is None
    assert not caplog.records
    machine.shift(1)
    watch.look()
    assert watch.problem is not None
    assert len(caplog.records) == 1
    for _ in range(61):
        machine.shift(-1)
        watch.look()
    assert watch.problem is None
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_the_problem_is_that_of_the_moment(machine: Machine, watch: WallClockWatch) -> None:
    """Health knows it before the log does."""
    assert watch.problem is None
    machine.shift(-3600)
    assert watch.problem is not None
    assert watch.problem.startswith("the machine's clock is 1:00:00 behind the server's time")
    machine.shift(3600)
    assert watch.problem is None


async def test_it_looks_by_itself_and_leaves_nothing(
    machine: Machine,
    watch: WallClockWatch,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    leaves_no_task: None,
) -> None:
    """While it is entered."""
    monkeypatch.setattr(wall_clock, "LOOK_SECONDS", 0)
    async with watch:
        await turns()
        machine.shift(DAY)
        await turns()
        assert len(caplog.records) == 1
