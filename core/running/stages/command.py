"""Command stages: a child process with the stage's input on stdin and its output on stdout."""

import asyncio
import codecs
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import orjson

from ...errors import StageError
from ...json_value import JSON
from ...pipelines.pipeline import CommandStage
from . import StageCall, StageResult
from .process import ChildProcess, in_spite_of_cancels

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")
"""What a child sees of the server's environment, besides LC_*: no keys, no tokens."""


class Kept:
    """The first `limit` bytes of a stream, and its text as it comes."""

    def __init__(self, emit: Callable[[str], None], limit: int) -> None:
        self._emit = emit
        self._left = limit
        self._bytes = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def receive(self, data: bytes) -> None:
        self._emit(self._decoder.decode(data))
        kept = data[: self._left]
        self._left -= len(kept)
        self._bytes += kept

    def text(self) -> str:
        """What was kept; a character that the limit has cut in two is not part of it."""
        self._emit(self._decoder.decode(b"", final=True))
        if self._left == 0:
            return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self._bytes))
        return self._bytes.decode("utf-8", "replace")


class CommandRunner:
    """Runs argv lists. Nothing goes through a shell, unless the program is one."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    async def run(self, call: StageCall[CommandStage]) -> StageResult:
        """What the child wrote to stdout, without the newlines at its end, as `$(…)` has it.

        Raises:
            StageError: it could not be started (not worth a retry), or its exit status is not 0.
        """
        kept = Kept(call.emit, call.stage.max_output_bytes)
        with tempfile.TemporaryFile() as stdin:
            # A file and not a pipe: a child that does not read cannot block, break or end us.
            await in_spite_of_cancels(asyncio.to_thread(_fill, stdin, call.input))
            child = await self._start(call, kept, stdin)
        status = await child.ended_or_stopped(call.stop)
        text = kept.text()
        if status != 0:
            raise StageError(_in_words(status, child.stderr), type="ExitStatus")
        return StageResult(text.rstrip("\n"))

    async def _start(
        self, call: StageCall[CommandStage], kept: Kept, stdin: IO[bytes]
    ) -> ChildProcess:
        cwd = call.folder / (call.stage.cwd or Path())
        if not cwd.is_dir():
            raise StageError(f"cwd: {cwd} is not a folder", type="NoSuchFolder", retryable=False)
        try:
            return await ChildProcess.start(
                call.stage.command, kept.receive, stdin=stdin, cwd=cwd, env=self._env(call)
            )
        except (OSError, ValueError) as error:
            program = call.stage.command[0]
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StageError(
                f"{program} cannot be started: {reason}", type="CannotStart", retryable=False
            ) from None

    def _env(self, call: StageCall[CommandStage]) -> dict[str, str]:
        env = child_environment(self._environ)
        for entry in call.stage.env:
            name, sets, value = entry.partition("=")
            if sets:
                env[name] = value
            elif name in self._environ:
                env[name] = self._environ[name]
        return env | {
            "RUNCAST_EXECUTION_ID": call.execution_id,
            "RUNCAST_STAGE_ID": call.stage.id,
            "RUNCAST_ATTEMPT": str(call.attempt),
        }


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What every child may see."""
    return {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or name.startswith("LC_")
    }


def _fill(stdin: IO[bytes], input: JSON) -> None:
    stdin.write(input.encode("utf-8", "replace") if isinstance(input, str) else orjson.dumps(input))
    stdin.seek(0)


def _in_words(status: int, stderr: bytes | bytearray) -> str:
    if status < 0:
        try:
            said = f"ended by {signal.Signals(-status).name}"
        except ValueError:
            said = f"ended by signal {-status}"
    else:
        said = f"exit status {status}"
    end = stderr.decode("utf-8", "replace").strip()
    return f"{said}: {end}" if end else said
