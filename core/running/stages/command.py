"""Command stages: a child process with the stage's input on stdin and its output on stdout."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from ...errors import StageError
from ...execution.log import LogStream
from ...execution.stored import StoredValue, TooLarge
from ...json_value import JSON, dumps
from ...pipelines.pipeline import CommandStage
from ..cancels import in_spite_of_cancels
from ..keeper import Keeper
from . import StageCall, StageResult
from .process import STDOUT, ChildProcess

WORKDIR = "workdir"
"""As `cwd`: the folder for the execution's files."""

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")
"""What a child sees of the server's environment, besides LC_*: no keys, no tokens."""

HEARD_AT_ONCE = {"PYTHONUNBUFFERED": "1"}
"""A Python program would keep what it prints to itself until there are 8 KiB of it."""


class CommandRunner:
    """Runs argv lists. Nothing goes through a shell, unless the program is one."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, keeper: Keeper | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._keeper = keeper

    async def run(self, call: StageCall[CommandStage]) -> StageResult:
        """The value is what the child wrote to stdout, without the newlines at its end, as `$(…)`
        has it. One that is too large for memory is in a file, to the byte.

        Raises:
            StageError: it could not be started (not worth a retry), its exit status is not 0, or
                the value is too large.
        """
        spool = call.stores.spool(
            call.execution_id, call.stage.id, call.attempt, call.stage.max_output_bytes
        )
        call.log.keep_value(spool)
        # A file and not a pipe: a child that does not read cannot block, break or end us.
        with await in_spite_of_cancels(asyncio.to_thread(_prepared, call)) as stdin:
            child = await self._start(call, stdin)
        call.log.make_wait(child.make_wait)
        status = await child.ended_or_stopped(call.stop, call.log.spoiled)
        if status != 0 and not call.log.spoiled.is_set():
            raise StageError(_in_words(status, child.stderr), type="ExitStatus")
        return StageResult(await _value(call))

    async def _start(self, call: StageCall[CommandStage], stdin: IO[bytes]) -> ChildProcess:
        cwd = _folder(call)
        if not cwd.is_dir():
            raise StageError(f"cwd: {cwd} is not a folder", type="NoSuchFolder", retryable=False)

        def receive(fd: int, data: bytes) -> None:
            call.log.receive(LogStream.STDOUT if fd == STDOUT else LogStream.STDERR, data)

        try:
            return await ChildProcess.start(
                call.stage.command,
                receive,
                stdin=stdin,
                cwd=cwd,
                env=self._env(call),
                keeper=self._keeper,
            )
        except (OSError, ValueError) as error:
            program = call.stage.command[0]
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StageError(
                f"{program} cannot be started: {reason}", type="CannotStart", retryable=False
            ) from None

    def _env(self, call: StageCall[CommandStage]) -> dict[str, str]:
        return environment(call.stage, self._environ) | {
            "RUNCAST_EXECUTION_ID": call.execution_id,
            "RUNCAST_STAGE_ID": call.stage.id,
            "RUNCAST_ATTEMPT": str(call.attempt),
            "RUNCAST_WORKDIR": str(call.workdir),
            "RUNCAST_PIPELINE_DIR": str(call.folder),
        }


def environment(stage: CommandStage, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a stage's program, but for the variables of the execution."""
    env = HEARD_AT_ONCE | child_environment(environ)
    for entry in stage.env:
        name, sets, value = entry.partition("=")
        if sets:
            env[name] = value
        elif name in environ:
            env[name] = environ[name]
        else:
            env.pop(name, None)
    return env


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What every child may see."""
    return {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or name.startswith("LC_")
    }


def _folder(call: StageCall[CommandStage]) -> Path:
    """Where the command runs."""
    if call.stage.cwd == Path(WORKDIR):
        return call.workdir
    return call.folder / (call.stage.cwd or Path())


def _prepared(call: StageCall[CommandStage]) -> IO[bytes]:
    """In a thread: makes the folder for the execution's files; a file with the stage's input."""
    call.workdir.mkdir(parents=True, exist_ok=True)
    if isinstance(call.input, StoredValue):
        return call.stores.path(call.input).open("rb")
    stdin: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    given = call.input
    stdin.write(given.encode("utf-8", "replace") if isinstance(given, str) else dumps(given))
    stdin.seek(0)
    return stdin


async def _value(call: StageCall[CommandStage]) -> JSON:
    try:
        value = await call.log.value()
    except TooLarge:
        raise call.too_large() from None
    return (
        value if isinstance(value, StoredValue) else value.decode("utf-8", "replace").rstrip("\n")
    )


def _in_words(status: int, stderr: bytes) -> str:
    if status < 0:
        try:
            said = f"ended by {signal.Signals(-status).name}"
        except ValueError:
            said = f"ended by signal {-status}"
    else:
        said = f"exit status {status}"
    end = stderr.decode("utf-8", "replace").strip()
    return f"{said}: {end}" if end else said
