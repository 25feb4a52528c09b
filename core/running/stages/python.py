"""Python stages: an async function in the event loop, any other in a worker process."""

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from ...errors import StageError
from ...json_value import JSON
from ...pipelines.pipeline import PythonStage
from . import StageCall, StageResult, Stop
from .process import in_spite_of_cancels
from .worker import NotJSON, StageContext, arguments, changed_at, describe, encode_value, find
from .workers import Stale, Worker, WorkerPool

AGAIN_SECONDS = 0.5
STAMP = "__runcast_changed_at__"


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
                continue

    async def _called(
        self, worker: Worker, message: dict[str, object], call: StageCall[PythonStage]
    ) -> JSON:
        try:
            return await worker.call(message, call.emit)
        except asyncio.CancelledError:
            await in_spite_of_cancels(worker.stop(call.stop))
            raise
        finally:
            await in_spite_of_cancels(self._pool.give_back(worker))


def function_of(stage: PythonStage, folder: Path) -> Callable[..., Any]:
    """The function of a stage, as its file says now.

    Raises:
        StageError: there is none, or its module cannot be imported.
    """
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    name = stage.call.partition(":")[0]
    _forget_if_changed(name)
    try:
        function = find(stage.call)
        # On the module, because `sys.modules` is what the stamp has to agree with.
        vars(sys.modules[name]).setdefault(STAMP, changed_at(sys.modules[name]))
        return function
    except LookupError as error:
        message = str(error)
        raise StageError(message, type="NoSuchFunction", retryable=False) from None


def _forget_if_changed(name: str) -> None:
    importlib.invalidate_caches()
    module = sys.modules.get(name)
    if module and vars(module).get(STAMP, changed_at(module)) != changed_at(module):
        del sys.modules[name]


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
        await in_spite_of_cancels(_ended(work, call.stop))
        raise
    if work.cancelled():
        raise StageError("the function cancelled itself", type="CancelledError")
    return work.result()


async def _ended(work: "asyncio.Task[JSON]", stop: Stop) -> None:
    """Cancels a task until it has ended: a function may swallow a cancel, or several.

    Its clean-up has the grace period before it is cancelled again.
    """
    work.cancel()
    force = asyncio.create_task(stop.force.wait())
    await asyncio.wait([work, force], timeout=stop.grace, return_when=asyncio.FIRST_COMPLETED)
    force.cancel()
    while not work.done():
        work.cancel()
        await asyncio.wait([work], timeout=AGAIN_SECONDS)
    if not work.cancelled():
        work.exception()  # It counts as seen: the stage was cancelled, whatever it raised.


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
