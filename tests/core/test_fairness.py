"""The budget of the event loop for work in many pieces."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest
from event_loops import EVENT_LOOPS
from runcast.core.fairness import ROUND_SECONDS, STRETCH_SECONDS, LoopBudget, Stretches

Result = TypeVar("Result")

TASKS = 20
LONG = ROUND_SECONDS * 1.1
"""Seconds that are more than a round has."""

pytestmark = [
    pytest.mark.parametrize("anyio_backend", EVENT_LOOPS),
    pytest.mark.usefixtures("leaves_no_task"),
]


class Stopwatch:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """An awaitable that counts how often its task is woken."""

    def __init__(self, work: Awaitable[None]) -> None:
        self._work = work
        self.woken = 0

    def __await__(self) -> Generator[Any, Any, None]:
        for future in self._work.__await__():
            yield future
            self.woken += 1


@pytest.fixture
def watch() -> Stopwatch:
    """The time by which rounds are measured."""
    return Stopwatch()


@pytest.fixture
def budget(watch: Stopwatch) -> LoopBudget:
    return LoopBudget(watch)


async def long_piece(budget: LoopBudget, watch: Stopwatch) -> None:
    await budget.checkpoint()
    watch.now += LONG


def in_line(
    budget: LoopBudget, watch: Stopwatch, *works: Coroutine[Any, Any, Result]
) -> list[asyncio.Task[Result]]:
    """Tasks that come when the round has just been used up."""
    tasks = [asyncio.create_task(work) for work in (long_piece(budget, watch), *works)]
    return tasks[1:]


async def worked(budget: LoopBudget, watch: Stopwatch, pieces: int, seconds: float) -> list[int]:
    """In which round of the loop each piece was done, by a task for each."""
    rounds, done = 0, []

    async def one() -> None:
        await budget.checkpoint()
        done.append(rounds)
        watch.now += seconds

    tasks = [asyncio.create_task(one()) for _ in range(pieces)]
    while len(done) < pieces:
        await asyncio.sleep(0)
        rounds += 1
    await asyncio.gather(*tasks)
    return done


async def test_long_pieces_have_a_round_each(budget: LoopBudget, watch: Stopwatch) -> None:
    """Of many tasks that are ready at once one works, and then everybody else has a turn."""
    rounds = await worked(budget, watch, TASKS, LONG)
    assert len(set(rounds)) == TASKS


async def test_short_pieces_share_a_round(budget: LoopBudget, watch: Stopwatch) -> None:
    """They are done together until the time of the round is used up."""
    rounds = await worked(budget, watch, TASKS, ROUND_SECONDS / 4.5)
    assert len(set(rounds)) == TASKS / 5


async def test_a_share_of_its_own(watch: Stopwatch) -> None:
    """A budget may have less of a round than others."""
    rounds = await worked(LoopBudget(watch, ROUND_SECONDS / 5), watch, TASKS, ROUND_SECONDS / 4.5)
    assert len(set(rounds)) == TASKS


async def test_one_task_with_many_pieces(budget: LoopBudget, watch: Stopwatch) -> None:
    """It is suspended when it has used up the round, and not before."""
    others = 0

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for _ in range(100):
        await budget.checkpoint()
    assert others == 0
    watch.now += LONG
    await budget.checkpoint()
    assert others > 0
    counting.cancel()
    await asyncio.wait([counting])


@pytest.mark.parametrize("seconds", [LONG, ROUND_SECONDS / 4.5], ids=["long", "short"])
async def test_each_waits_once_and_in_order(
    budget: LoopBudget, watch: Stopwatch, seconds: float
) -> None:
    """However many rounds go by before it is served."""
    order: list[int] = []

    async def one(number: int) -> int:
        checkpoint = Counted(budget.checkpoint())
        await checkpoint
        order.append(number)
        watch.now += seconds
        return checkpoint.woken

    woken = await asyncio.gather(*in_line(budget, watch, *map(one, range(TASKS))))
    assert order == list(range(TASKS))
    assert woken == [1] * TASKS


async def test_those_with_many_pieces_take_turns(budget: LoopBudget, watch: Stopwatch) -> None:
    """Once somebody waits, nobody has a second piece before all had one; nobody overtakes."""
    order: list[str] = []

    async def work(name: str, pieces: int) -> None:
        for _ in range(pieces):
            await budget.checkpoint()
            order.append(name)
            watch.now += ROUND_SECONDS / 4.5

    await asyncio.gather(*in_line(budget, watch, work("a", 3), work("b", 3), work("c", 1)))
    assert "".join(order) == "abcabab"


@pytest.mark.parametrize("leaving", [[0], [4], [0, 1, 2, 3], [1, 3], [0, 1, 2, 3, 4]], ids=str)
async def test_one_that_is_cancelled_gives_its_turn_to_the_next(
    budget: LoopBudget, watch: Stopwatch, leaving: list[int]
) -> None:
    """Wherever it stood in the line, those behind it are served as if it had not been there."""
    done: list[int] = []

    async def one(number: int) -> None:
        await budget.checkpoint()
        done.append(number)
        watch.now += LONG

    tasks = in_line(budget, watch, *map(one, range(5)))
    # It runs once they stand in line, and before the first of them is served.
    asyncio.get_running_loop().call_soon(lambda: [tasks[number].cancel() for number in leaving])
    await asyncio.wait(tasks)
    assert done == [number for number in range(5) if number not in leaving]
    assert [number for number in range(5) if tasks[number].cancelled()] == leaving
    await asyncio.wait_for(budget.checkpoint(), 30)


async def test_one_whose_time_is_over_leaves_the_line(budget: LoopBudget, watch: Stopwatch) -> None:
    """A time limit works while one waits, and the budget afterwards."""

    async def hurried() -> None:
        async with asyncio.timeout(0):
            await budget.checkpoint()

    first, second = in_line(budget, watch, long_piece(budget, watch), hurried())
    with pytest.raises(TimeoutError):
        await second
    await first
    await asyncio.wait_for(budget.checkpoint(), 30)


async def test_what_is_no_task_waits_among_them(budget: LoopBudget, watch: Stopwatch) -> None:
    """It is called in its turn, once; one that fails keeps nobody."""
    order: list[str] = []
    failed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failed.append(context["exception"])
    )

    async def one(name: str) -> None:
        await budget.checkpoint()
        order.append(name)

    def wrong() -> None:
        raise ValueError

    async def call() -> None:
        assert not budget.is_free
        budget.call(lambda: order.append("b"))
        budget.call(wrong)
        budget.call(lambda: order.append("c"))

    await asyncio.gather(*in_line(budget, watch, one("a"), call(), one("d")))
    assert "".join(order) == "abcd"
    assert [type(error) for error in failed] == [ValueError]
    await asyncio.wait_for(budget.checkpoint(), 30)
    assert budget.is_free


async def test_one_that_fails_keeps_nobody(budget: LoopBudget, watch: Stopwatch) -> None:
    """What is raised after a checkpoint is the matter of its task alone."""

    async def one(number: int) -> int:
        await budget.checkpoint()
        if number % 2:
            raise ValueError(number)
        return number

    tasks = in_line(budget, watch, *map(one, range(4)))
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(one) for one in found] == ["0", "1", "2", "3"]
    assert [isinstance(one, ValueError) for one in found] == [False, True, False, True]


async def test_a_task_stays_itself(budget: LoopBudget, watch: Stopwatch) -> None:
    """After the wait it is the current task, with its own context."""
    number: ContextVar[int] = ContextVar("number")

    async def one(own: int) -> bool:
        number.set(own)
        task = asyncio.current_task()
        await budget.checkpoint()
        return asyncio.current_task() is task and number.get() == own

    assert all(await asyncio.gather(*in_line(budget, watch, *map(one, range(TASKS)))))


async def test_who_acts_on_many_things_lets_others_run() -> None:
    """After each stretch, and not between all of them."""
    stopwatch, turns = Stopwatch(), list[int]()

    async def others() -> None:
        while True:
            turns.append(len(done))
            await asyncio.sleep(0)

    done: list[int] = []
    watching = asyncio.create_task(others())
    stretches = Stretches(stopwatch)
    for number in range(9):
        await stretches.pause()
        done.append(number)
        stopwatch.now += STRETCH_SECONDS * 0.4
    watching.cancel()
    assert turns == [3, 6]
