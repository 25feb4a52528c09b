"""Which commands that reach a language model are at hand on this machine."""

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from ..core.clock import Clock
from ..core.running.keeper import Keeper
from ..core.running.stages.command import child_environment
from ..core.running.stages.process import STDOUT, ChildProcess
from .modes import CLI_TOOLS

ANSWER_SECONDS = 5.0
FRESH_SECONDS = 10.0
MOST_BYTES = 4096
MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ToolState:
    """Whether a tool runs here; `version` is the first line that it prints."""

    available: bool
    version: str | None = None
    error: str | None = None


class CliTools:
    """Asks each of CLI_TOOLS for its version, all at a time.

    The answer is good for FRESH_SECONDS: however often it is asked for, there are no more children
    than that. They see of the environment what stages see, so no keys.
    """

    def __init__(
        self, environ: Mapping[str, str], clock: Clock, keeper: Keeper | None = None
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._keeper = keeper
        self._asking = asyncio.Lock()
        self._states: dict[str, ToolState] = {}
        self._asked_at = 0.0

    async def states(self) -> Mapping[str, ToolState]:
        """By name; all of CLI_TOOLS are there."""
        async with self._asking:
            if not self._states or self._clock.monotonic() - self._asked_at >= FRESH_SECONDS:
                found = await asyncio.gather(*map(self._state, CLI_TOOLS))
                self._states = dict(zip(CLI_TOOLS, found, strict=True))
                self._asked_at = self._clock.monotonic()
            return self._states

    async def _state(self, tool: str) -> ToolState:
        program = shutil.which(tool, path=self._environ.get("PATH"))
        if program is None:
            return _missing("it is not on the server's PATH")
        said = bytearray()

        def receive(fd: int, data: bytes) -> None:
            if fd == STDOUT:
                said.extend(data[: MOST_BYTES - len(said)])

        try:
            child = await ChildProcess.start(
                [program, "--version"],
                receive,
                stdin=subprocess.DEVNULL,
                env=child_environment(self._environ),
                keeper=self._keeper,
            )
        except OSError as error:
            return _missing(f"it cannot be started: {error.strerror}")
        return await _answer(child, said)


async def _answer(child: ChildProcess, said: bytearray) -> ToolState:
    try:
        status = await _exit_status(child)
    except TimeoutError:
        return _missing(f"it did not answer within {ANSWER_SECONDS:g} s")
    if status != 0:
        reason = _first_line(child.stderr) or "it printed nothing"
        return _missing(f"it ended with exit status {status}: {reason}")
    return ToolState(True, version=_first_line(said) or None)


async def _exit_status(child: ChildProcess) -> int:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await child.ended()
    except (TimeoutError, asyncio.CancelledError):
        await child.kill()
        raise


def _missing(error: str) -> ToolState:
    return ToolState(False, error=error)


def _first_line(said: bytes | bytearray) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:MOST_CHARACTERS] if lines else ""
