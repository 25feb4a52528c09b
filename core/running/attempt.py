"""One attempt of one stage: how long it may take, that it really stops, and what its value is."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from ..errors import StageError, StageTimeout
from ..execution.log import LogStream
from ..execution.stored import StoredValue
from ..json_value import JSON, as_text, dumps
from .contents import INLINE_BYTES, content
from .parsing import parsed
from .stages import StageCall, StageResult, StageRunner

UTF8_BYTES = 4
"""The most that a character takes."""

logger = logging.getLogger("runcast.executor")


async def attempt(runner: StageRunner[Any], call: StageCall[Any]) -> StageResult:
    """Runs the stage, and reads its value as the definition of its output says.

    What the runner has said stays, also where reading the value then fails.

    Raises:
        StageError: the attempt failed.
        StageTimeout: it took longer than the stage's `timeoutMs`.
    """
    result = await _within_its_time(runner, call)
    if call.stage.output is None:
        sent = await _sent(result, call)
        if call.log.silent:
            await _show(result.value, call, is_handed_on=sent is result)
        return sent
    if call.log.silent:
        await _show(result.value, call, is_handed_on=False)
    # In a thread: a text of 1 MiB can take some tenths of a second.
    return replace(result, value=await asyncio.to_thread(_parsed, call, result.value))


async def _sent(result: StageResult, call: StageCall[Any]) -> StageResult:
    """The same with its value in a file where values that are sent must be smaller.

    The runner has put into a file what is large wherever executions run.
    """
    inline_bytes = call.stores.inline_bytes
    if inline_bytes >= INLINE_BYTES or _is_small(result.value, inline_bytes):
        return result
    return replace(result, value=await asyncio.to_thread(_bounded, call, result.value))


async def _show(value: JSON, call: StageCall[Any], *, is_handed_on: bool) -> None:
    """What a stage that has said nothing shows is its value, as it is before it is read; it need
    not be stored twice if it is handed on just so."""
    if isinstance(value, StoredValue):
        call.log.write(LogStream.SYSTEM, f"the value has {value.size:,} bytes\n")
    elif is_handed_on:
        await call.log.show_value(as_text(value))
    else:
        call.log.emit(as_text(value))


def _parsed(call: StageCall[Any], value: JSON) -> JSON:
    by_model = call.stage.kind == "prompt"
    return _bounded(call, parsed(call.stage.output, content(value, call.stores), by_model=by_model))


def _is_small(value: JSON | StoredValue, inline_bytes: int) -> bool:
    """Whether it is seen at once that the value need not be put into a file."""
    if isinstance(value, str):
        return len(value) <= inline_bytes // UTF8_BYTES
    return not isinstance(value, list | dict)


def _bounded(call: StageCall[Any], value: JSON) -> JSON:
    """The value, in a file if it is large.

    Raises:
        StageError: it is larger than the stage's may be.
    """
    encoded = value.encode("utf-8", "replace") if isinstance(value, str) else dumps(value)
    if len(encoded) > call.stage.max_output_bytes:
        raise call.too_large()
    return value if len(encoded) <= call.stores.inline_bytes else _stored(call, encoded, value)


def _stored(call: StageCall[Any], encoded: bytes, value: JSON) -> JSON:
    spool = call.stores.spool(
        call.execution_id, call.stage.id, call.attempt, call.stage.max_output_bytes
    )
    stored = spool.store(encoded)
    if isinstance(stored, bytes):
        return value
    return replace(stored, is_json=not isinstance(value, str))


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
