"""Python stages: functions, in worker processes."""

from ...pipelines.pipeline import PythonStage
from ..workers.pool import WorkerPool
from . import StageCall, StageResult


class PythonRunner:
    """Calls the function that `call` names, as `function(input)` or `function(input, context)`.

    The server imports nothing of it, and runs nothing of it: see `WorkerPool`.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def run(self, call: StageCall[PythonStage]) -> StageResult:
        """The value is what the function has returned: text or JSON.

        Raises:
            StageError: there is no such function, it raised, what it returned is not JSON, or its
                process ended.
        """
        return StageResult(await self._pool.call(call))
