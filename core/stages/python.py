"""Python stages: an async function in the event loop, any other in a worker process."""

import asyncio
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from ..errors import StageError
from ..model import JSON
from ..pipeline import PythonStage
from . import StageCall, StageResult
from .worker import NotJSON, StageContext, arguments, describe, encode_value, find
from .workers import Stale, Worker, WorkerPool

AGAIN_SECONDS = 0.5


class PythonRunner:
    """Calls the function that `call` names, as `function(input)` or `function(input, context)`.

    The server imports it, too, to see whether it is async: an async function has to be imported
    here anyway, and a missing one is then found before anything runs. The folder of the pipeline
    file comes last on `sys.path`, so that nothing in it can take the place of a library.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def run(self, call: StageCall[PythonStage]) -> StageResult:
        """What the function has returned: text or JSON.

        Raises:
            StageError: there is no such function, it raised, or what it returned is not JSON.
        """
        function = await asyncio.to_thread(function_of, call.stage, call.folder)
        if inspect.iscoroutinefunction(function):
            return StageResult(await _in_the_loop(function, call))
        return StageResult(await self._in_a_worker(call))

    async def _in_a_worker(self, call: StageCall[PythonStage]) -> JSON:
        message = {
            "call": call.stage.call,
            "folder": str(call.folder),
            "executionId": call.execution_id,
            "stageId": call.stage.id,
            "attempt": call.attempt,
            "input": call.input,
            "pipelineInput": call.pipeline_input,
            "outputs": call.outputs,
        }
        while True:
            worker = await self._pool.take()
            try:
                return await self._called(worker, message, call)
            except Stale:
                await worker.close()

    async def _called(
        self, worker: Worker, message: dict[str, object], call: StageCall[PythonStage]
    ) -> JSON:
        try:
            value = await worker.call(message, call.emit)
        except asyncio.CancelledError:
            await worker.stop(call.stop)
            raise
        except StageError as error:
            if error.type == "WorkerDied":
                await worker.close()
            else:
                await self._pool.give_back(worker)
            raise
        await self._pool.give_back(worker)
        return value


def function_of(stage: PythonStage, folder: Path) -> Callable[..., Any]:
    """The function of a stage.

    Raises:
        StageError: there is none, or its module cannot be imported.
    """
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        return find(stage.call)
    except LookupError as error:
        message = str(error)
        raise StageError(message, type="NoSuchFunction", retryable=False) from None


async def _in_the_loop(function: Callable[..., Any], call: StageCall[PythonStage]) -> JSON:
    context = StageContext(
        call.execution_id,
        call.stage.id,
        call.attempt,
        call.pipeline_input,
        call.outputs,
        call.emit,
    )
    work = asyncio.create_task(_outcome(function, arguments(function, call.input, context)))
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:
        context._stopped.set()
        # A function may swallow a cancel, or several; the stage has stopped when it has ended.
        while not work.done():
            work.cancel()
            await asyncio.wait([work], timeout=AGAIN_SECONDS)
        if not work.cancelled():
            work.exception()  # It counts as seen: the stage was cancelled, whatever it raised.
        raise
    if work.cancelled():
        raise StageError("the function cancelled itself", type="CancelledError")
    return work.result()


async def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> JSON:
    try:
        return orjson.loads(encode_value(await function(*arguments)))
    except asyncio.CancelledError:
        raise
    except NotJSON as error:
        raise StageError(str(error), type="NotJSON", retryable=False) from None
    except BaseException as error:
        # SystemExit and KeyboardInterrupt would leave the task and stop the event loop.
        said = describe(error)
        raise StageError(said["message"], type=said["name"], traceback=said["traceback"]) from None
