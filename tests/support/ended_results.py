"""Ended executions, where their result files go, and a history that has them."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runcast.core.errors import Unavailable
from runcast.core.execution.model import EndReason, Execution, StageRun, StageStatus, Status, Usage
from runcast.core.execution.record import light
from runcast.core.results.files import ExecutionFiles
from runcast.core.results.outputs import Outputs
from samples import an_execution, spoken

ENDED_AT = 1_800_000_000_123


def a_stage(id: str, **values: Any) -> StageRun:
    return StageRun(id, id.title(), "custom", started_at=1000, ended_at=1025, **values)


def an_ended(id: str = "exec_1_a", **values: Any) -> Execution:
    defaults: dict[str, Any] = {
        "status": Status.COMPLETED,
        "end_reason": EndReason.FINISHED,
        "started_at": ENDED_AT - 26_500,
        "began_at": ENDED_AT - 500,
        "ended_at": ENDED_AT,
        "stages": (
            a_stage(
                "one",
                status=StageStatus.COMPLETED,
                log=spoken("some text"),
                value={"a": 1},
                model="claude:sonnet",
                usage=Usage(3, 4, 0.25),
            ),
            StageRun("two", "Two", "custom", StageStatus.SKIPPED, skip_reason="not needed"),
        ),
    }
    return an_execution(id, **(defaults | values))


def files(folder: Path) -> ExecutionFiles:
    """Where the logs of the executions would be."""
    return ExecutionFiles(folder / "data", log_max=1 << 20)


class Paused(Outputs):
    """Outputs whose disk answers when the test says so, and fails as long as it says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.saved: list[str] = []
        self.begun = threading.Event()
        self.free = threading.Event()
        self.broken = False

    def save(self, execution: Execution) -> str:
        self.begun.set()
        assert self.free.wait(30)
        if self.broken:
            raise OSError(28, "No space left on device")
        self.saved.append(execution.input)
        return super().save(execution)


class Past:
    """Implements `EndedExecutions`: the history has these, in the order of their end."""

    def __init__(self, *executions: Execution) -> None:
        self.all = {one.id: one for one in executions}
        self.unwritable: str | None = None
        self.readable = True
        self.asked = 0
        """How often it was read, or tried."""

    async def get(self, execution_id: str) -> Execution | None:
        self._check()
        return self.all.get(execution_id)

    async def ended_page(
        self, page: int, page_size: int, *, whole: bool, own: bool
    ) -> tuple[Sequence[Execution], int]:
        self._check()
        assert not whole, "a thousand of them may be large"
        newest_first = [light(one) for one in reversed(self.all.values()) if one.status.terminal]
        return newest_first[(page - 1) * page_size :][:page_size], len(newest_first)

    def _check(self) -> None:
        self.asked += 1
        if not self.readable:
            raise Unavailable("the history cannot be read")
