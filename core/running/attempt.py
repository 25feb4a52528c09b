"""One attempt of one stage: what it puts out, how long it may take, and that it really stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ..errors import StageError, StageTimeout
from ..json_value import as_text
from .parsing import parsed
from .stages import StageCall, StageResult, StageRunner
from .stages.emitter import Emitter
from .template import Scope, render

logger = logging.getLogger("runcast.executor")

Publish = Callable[[str, int], Awaitable[None]]


async def attempt(runner: StageRunner[Any], call: StageCall[Any], publish: Publish) -> StageResult:
    """Gives the stage its input, passes on what it puts out, and reads what it came to.

    `publish` is given each piece of output and the number of bytes that were not kept. What the
    runner has put out stays, also where reading it then fails.

    Raises:
        StageError: the attempt failed.
        StageTimeout: it took longer than the stage's `timeoutMs`.
    """
    stage = call.stage
    async with Emitter(publish, stage.max_output_bytes) as emitter:
        call = replace(call, emit=emitter.emit, input=_given(call))
        result = await _within_its_time(runner, call)
        if emitter.silent:
            emitter.emit(as_text(result.value))
    if stage.output is None:
        return result
    # In a thread: a text of 1 MiB can take some tenths of a second.
    value = await asyncio.to_thread(parsed, stage.output, result.value)
    return replace(result, value=value)


def _given(call: StageCall[Any]) -> object:
    if call.stage.input is None:
        return call.input
    return render(call.stage.input, {}, Scope(call.pipeline_input, call.input, call.outputs))


async def _within_its_time(runner: StageRunner[Any], call: StageCall[Any]) -> StageResult:
    limit = call.stage.timeout_ms
    # In a task of its own, for this one can be cancelled again (by the user, a time limit, the
    # end of the server) while the runner still cleans up after the first cancel.
    work = asyncio.create_task(_contained(runner, call))
    try:
        await asyncio.wait([work], timeout=None if limit is None else limit / 1000)
    except asyncio.CancelledError:
        await _stopped(work)
        raise
    if not work.done():
        await _stopped(work)
        raise StageTimeout(f"stage {call.stage.id} took longer than {limit} ms")
    if work.cancelled():
        raise StageError("the stage cancelled itself", type="CancelledError", retryable=False)
    return work.result()


async def _contained(runner: StageRunner[Any], call: StageCall[Any]) -> StageResult:
    try:
        return await runner.run(call)
    except (StageError, asyncio.CancelledError, GeneratorExit):
        raise
    except OSError as error:
        # The machine's fault (a full disk, no more processes): another attempt may help.
        raise StageError(str(error), type=type(error).__name__) from error
    except BaseException as error:
        # asyncio lets SystemExit and KeyboardInterrupt out of a task, and the event loop stops.
        logger.exception("execution %s: the runner of a stage failed", call.execution_id)
        name = type(error).__name__
        raise StageError(f"the stage raised {name}", type=name, retryable=False) from error


async def _stopped(work: asyncio.Task[StageResult]) -> None:
    """Cancels a task, once, and waits until it has ended, however often this one is cancelled."""
    work.cancel()
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    if not work.cancelled():
        work.exception()  # It counts as seen; what counts is why the task was cancelled.
    if cancelled:
        raise asyncio.CancelledError
