"""What waits to be written to the history."""

import asyncio

from runcast.core.execution.model import Status
from runcast.core.history.backlog import Backlog
from samples import an_execution

FIRST = an_execution("exec_1", sequence=1)
SECOND = an_execution("exec_1", sequence=2, status=Status.RUNNING)
END = an_execution("exec_1", sequence=3, status=Status.COMPLETED, ended_at=2000)
OTHER = an_execution("exec_2")


def test_only_the_latest_state_of_each_waits() -> None:
    """In the place of the first one."""
    backlog = Backlog()
    for execution in (FIRST, OTHER, SECOND):
        backlog.put(execution)
    assert backlog.batch(10) == [SECOND, OTHER]
    assert backlog.batch(1) == [SECOND]


def test_what_changed_while_it_was_written_waits_again() -> None:
    """The rest is forgotten."""
    backlog = Backlog()
    backlog.put(FIRST)
    backlog.put(OTHER)
    batch = backlog.batch(10)
    backlog.put(SECOND)
    backlog.written(batch)
    assert list(backlog.waiting.values()) == [SECOND]


async def test_a_confirmation_is_for_the_state_that_waited_or_a_later_one() -> None:
    """Not for an earlier one that was being written at the time."""
    backlog = Backlog()
    backlog.put(FIRST)
    earlier = backlog.batch(10)
    backlog.put(SECOND)
    confirmation = backlog.confirmation("exec_1")
    backlog.written(earlier)
    assert not confirmation.done()
    backlog.put(END)
    backlog.written([END])
    assert confirmation.result()


async def test_what_others_wait_for_confirms_nothing() -> None:
    """Not even the first state of an execution."""
    backlog = Backlog()
    for execution in (FIRST, OTHER):
        backlog.put(execution)
    confirmation = backlog.confirmation("exec_1")
    backlog.written([OTHER])
    assert not confirmation.done()
    backlog.written([FIRST])
    assert confirmation.result()


async def test_what_does_not_wait_is_confirmed_at_once() -> None:
    """It was written before, or never known."""
    assert Backlog().confirmation("exec_1").result()


async def test_who_waits_is_told_that_nothing_comes() -> None:
    """And whoever has gone away in the meantime does no harm."""
    backlog = Backlog()
    backlog.put(FIRST)
    confirmation, abandoned = backlog.confirmation("exec_1"), backlog.confirmation("exec_1")
    abandoned.cancel()
    backlog.give_up()
    assert confirmation.result() is False
    await asyncio.wait([abandoned])
    later = backlog.confirmation("exec_1")
    backlog.confirmation("exec_1").cancel()
    backlog.written([FIRST])
    assert later.result()


def test_what_runs_or_waits_is_held() -> None:
    """What has ended and was written is not."""
    backlog = Backlog()
    for execution in (FIRST, OTHER):
        backlog.put(execution)
        backlog.written([execution])
    assert backlog.awaited() == {"exec_1", "exec_2"}
    backlog.put(END)
    assert backlog.awaited() == {"exec_1", "exec_2"}
    backlog.written([END])
    assert backlog.awaited() == {"exec_2"}


def test_the_oldest_ends_are_dropped_and_never_what_runs() -> None:
    """Down to the limit, if there are that many."""
    backlog = Backlog()
    ends = [
        an_execution(f"exec_end_{n}", status=Status.FAILED, ended_at=2000 + n) for n in range(3)
    ]
    for execution in (OTHER, *ends):
        backlog.put(execution)
    backlog.trim(4)
    assert backlog.lost == 0
    backlog.trim(2)
    assert (backlog.batch(9), backlog.lost) == ([OTHER, ends[2]], 2)
    backlog.trim(0)
    assert (backlog.batch(9), backlog.lost) == ([OTHER], 3)
