"""What it costs to wait for the loop's budget: `python benchmarks/fairness.py`.

So many tasks stand in line at once, and each does one piece of work when it is served. Printed is
what each of them took beyond its piece, with `runcast.core.fairness` and with a budget that wakes
everybody in every round, as it did at first: the first is to stay the same, however many wait.
"""

import argparse
import asyncio
import gc
import time

import uvloop
from runcast.core.fairness import ROUND_SECONDS, LoopBudget

WAITERS = (100, 1_000, 10_000)
PIECE_SECONDS = 0.0001


class WakingEverybody:
    """The same contract; in each round everybody looks whether there is time."""

    def __init__(self) -> None:
        self._round_ends: float | None = None

    async def checkpoint(self) -> None:
        while self._is_used_up():  # noqa: ASYNC110
            await asyncio.sleep(0)

    def _is_used_up(self) -> bool:
        now = time.perf_counter()
        if self._round_ends is None:
            self._round_ends = now + ROUND_SECONDS
            asyncio.get_running_loop().call_soon(self._begin_round)
        return now > self._round_ends

    def _begin_round(self) -> None:
        self._round_ends = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiters", type=int, nargs="+", default=WAITERS)
    parser.add_argument("--repeat", type=int, default=3, help="of which the best counts")
    options = parser.parse_args()
    # It would look through the tasks of the benchmark itself, the longer the more there are.
    gc.disable()
    print(f"microseconds a waiter, beyond its piece of {PIECE_SECONDS * 1e6:.0f}\n")
    print(f"{'waiters':>8}{'woken once':>14}{'all woken':>14}")
    for waiters in options.waiters:
        once, everybody = (
            min(uvloop.run(cost(kind(), waiters)) for _ in range(options.repeat))
            for kind in (LoopBudget, WakingEverybody)
        )
        print(f"{waiters:>8}{once:>14.1f}{everybody:>14.1f}")


async def cost(budget: LoopBudget | WakingEverybody, waiters: int) -> float:
    """In microseconds: from when all stand in line to when all have been served."""
    begun = 0.0
    worked = 0.0

    async def first() -> None:
        nonlocal begun
        await budget.checkpoint()
        work(ROUND_SECONDS * 1.1)
        begun = time.perf_counter()

    async def one() -> None:
        nonlocal worked
        await budget.checkpoint()
        worked += work(PIECE_SECONDS)

    await asyncio.gather(first(), *(one() for _ in range(waiters)))
    return (time.perf_counter() - begun - worked) / waiters * 1e6


def work(seconds: float) -> float:
    """Takes so long; the seconds that it really took."""
    begun = time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        pass
    return now - begun


if __name__ == "__main__":
    main()
