"""A process that keeps a history until it is killed: `python history_child.py FOLDER [URL]`.

Says `opening`, then `started ID` and `ended ID STATUS` once the history has confirmed it.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runcast.core.clock import SystemClock
from runcast.core.execution.events import (
    Began,
    CancelRequested,
    Ended,
    Event,
    StageCompleted,
    StageStarted,
)
from runcast.core.execution.model import EndReason, Execution, Status
from runcast.core.history import History
from samples import an_execution, said

AT_A_TIME = 8
AT_MOST = 5_000


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def course(id: str, now: int, number: int) -> Sequence[Event]:
    """What happens to an execution: every third is cancelled."""
    events: list[Event] = [Began(id, now)]
    for stage in range(2):
        events += [
            StageStarted(id, now, stage),
            said(id, now, stage, "output " * 500),
            StageCompleted(id, now, stage, {"answer": number}),
        ]
    if number % 3 == 0:
        events[4:] = [CancelRequested(id, now)]
    return [*events, Ended(id, now, Status.COMPLETED, EndReason.FINISHED)]


async def drive(history: History, clock: SystemClock, worker: int) -> None:
    for number in range(AT_MOST):
        now = clock.now()
        execution: Execution = an_execution(
            f"exec_{now}_{os.getpid()}x{worker}x{number}", started_at=now
        )
        history.note(execution)
        if await history.committed(execution.id):
            say("started", execution.id)
        for event in course(execution.id, now, number):
            execution = replace(event.after(execution), sequence=execution.sequence + 1)
            history.note(execution)
            await asyncio.sleep(0)
        if await history.committed(execution.id):
            say("ended", execution.id, execution.status)


async def main(folder: Path, database: str | None = None) -> None:
    clock = SystemClock()
    say("opening")
    async with History(folder, clock, database=database) as history:
        await asyncio.gather(*(drive(history, clock, worker) for worker in range(AT_A_TIME)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
