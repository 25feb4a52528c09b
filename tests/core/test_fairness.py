"""Turns of the event loop."""

import asyncio

import pytest
from runcast.core.fairness import TURN_SECONDS, Turns

TASKS = 20


class Stopwatch:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Stopwatch:
    """The time by which turns are measured."""
    return Stopwatch()


async def worked(turns: Turns, watch: Stopwatch, pieces: int, seconds: float) -> list[int]:
    """In which round of the loop each piece was done, by a task for each."""
    rounds, done = 0, []

    async def one() -> None:
        await turns.take()
        done.append(rounds)
        watch.now += seconds

    tasks = [asyncio.create_task(one()) for _ in range(pieces)]
    while len(done) < pieces:
        await asyncio.sleep(0)
        rounds += 1
    await asyncio.gather(*tasks)
    return done


async def test_long_pieces_have_a_round_each(watch: Stopwatch) -> None:
    """Of many tasks that are ready at once one works, and then everybody else has a turn."""
    rounds = await worked(Turns(watch), watch, TASKS, TURN_SECONDS * 1.1)
    assert len(set(rounds)) == TASKS


async def test_short_pieces_share_a_round(watch: Stopwatch) -> None:
    """They are done together until the time of the round is used up."""
    rounds = await worked(Turns(watch), watch, TASKS, TURN_SECONDS / 4.5)
    assert len(set(rounds)) == TASKS / 5


async def test_one_task_with_many_pieces(watch: Stopwatch) -> None:
    """It is suspended when it has used up the round, and not before."""
    turns, others = Turns(watch), 0

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for _ in range(100):
        await turns.take()
    assert others == 0
    watch.now += TURN_SECONDS * 1.1
    await turns.take()
    assert others > 0
    counting.cancel()
