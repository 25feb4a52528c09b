"""Python stages: functions, in worker processes."""

import asyncio
from dataclasses import replace

from ...execution.stored import StoredValue
from ...pipelines.pipeline import PythonStage
from ..workers.messages import FileValue
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
        value = await self._pool.call(call)
        if isinstance(value, FileValue):
            value = await asyncio.to_thread(_adopted, call, value)
        return StageResult(value)


def _adopted(call: StageCall[PythonStage], value: FileValue) -> StoredValue:
    stored = call.stores.adopt(
        call.execution_id, call.stage.id, call.attempt, value.path, value.sha256
    )
    return replace(stored, is_json=value.is_json)
