"""How a prompt stage reaches a language model through a command (`cli` mode)."""

import asyncio
import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ...errors import StageError
from ...execution.log import LogStream
from ...execution.model import Usage
from ...execution.stored import StoredValue, TooLarge
from ...pipelines.pipeline import PromptStage
from ...text import trimmed
from ..contents import content
from ..keeper import Keeper
from . import StageCall, StageResult
from .command import child_environment
from .models import PROVIDERS
from .process import STDOUT, ChildProcess

TOOLS: Mapping[str, tuple[str, ...]] = {
    "claude": ("claude", "-p", "-", "--print"),
    "opencode": ("opencode", "ask", "-"),
    "aider": ("aider", "--message", "-", "--no-git"),
}
DEFAULT_TOOL = "claude"

# The one provider of a tool that has only one; the others are given the key of the stage's.
OWN_PROVIDER: Mapping[str, str] = {"claude": "anthropic"}

PASSED_ON = (
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR"),
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"),
)
"""Where a tool's login is kept, and how it gets out of the house; besides what every child sees."""

PASSING = re.compile(
    r"\b(408|429|500|502|503|504|529)\b|time[d-]?[ -]?out|rate.?limit|overloaded"
    r"|ECONNRESET|ECONNREFUSED|ETIMEDOUT|connection (reset|refused)",
    re.IGNORECASE,
)
"""What a failed tool says when another attempt may help: its exit status tells nothing."""

SAID_CHARACTERS = 4096
CHARACTERS_PER_TOKEN = 4


class Tools:
    """The commands that may be run, by name. Which model they ask is their own business."""

    def __init__(
        self,
        environ: Mapping[str, str],
        commands: Mapping[str, tuple[str, ...]] = TOOLS,
        keeper: Keeper | None = None,
    ) -> None:
        self._environ = environ
        self._commands = commands
        self._keeper = keeper

    async def answer(self, call: StageCall[PromptStage], prompt: str) -> StageResult:
        """What the tool writes to stdout, put out as it comes, without white space around it.

        Tokens are estimated from characters, and cost nothing (section 5.5 of the REST contract).

        Raises:
            StageError: the tool is unknown, not installed, or has failed. Only worth another
                attempt if it speaks of a timeout, a broken connection, 408, 429 or 5xx.
        """
        tool = call.cli_tool or DEFAULT_TOOL
        argv = self._argv(tool)
        system = call.stage.prompt.system_prompt
        question = f"{system}\n\n{prompt}" if system else prompt
        answer = trimmed(await self._run(argv, call, question, self._keys(tool, call.stage)))
        usage = Usage(estimated_tokens(question), estimated_tokens(answer))
        return StageResult(answer, usage, f"{tool}:{call.stage.model.model_id}")

    async def _answer(self, call: StageCall[PromptStage]) -> str:
        try:
            value = await call.log.value()
        except TooLarge:
            raise call.too_large() from None
        if isinstance(value, StoredValue):
            return str(await asyncio.to_thread(content, value, call.stores))
        return value.decode("utf-8", "replace")

    def _argv(self, tool: str) -> tuple[str, ...]:
        if tool not in self._commands:
            known = ", ".join(self._commands)
            raise _unusable(f'there is no CLI tool "{tool}"; there are {known}')
        program, *arguments = self._commands[tool]
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None:
            raise _unusable(f"the CLI tool {tool} is not installed: no {program} on the PATH")
        return path, *arguments

    def _keys(self, tool: str, stage: PromptStage) -> dict[str, str]:
        """The keys that a tool sees, and where they go: its provider's, or the stage's."""
        access = PROVIDERS.get(OWN_PROVIDER.get(tool, stage.model.provider_id))
        return {} if access is None else _some(self._environ, (*access.keys, access.base_url))

    async def _run(
        self,
        argv: tuple[str, ...],
        call: StageCall[PromptStage],
        question: str,
        keys: dict[str, str],
    ) -> str:
        spool = call.stores.spool(
            call.execution_id, call.stage.id, call.attempt, call.stage.max_output_bytes
        )
        call.log.keep_value(spool)

        def receive(fd: int, data: bytes) -> None:
            call.log.receive(LogStream.STDOUT if fd == STDOUT else LogStream.STDERR, data)

        env = child_environment(self._environ) | _some(self._environ, PASSED_ON) | keys
        with ExitStack() as files:
            # A file and not a pipe: a tool that does not read cannot block us.
            stdin = files.enter_context(tempfile.TemporaryFile())
            stdin.write(question.encode("utf-8", "replace"))
            stdin.seek(0)
            # An empty folder: a tool that edits what it finds does not find anything of ours.
            folder = files.enter_context(
                tempfile.TemporaryDirectory(prefix="runcast-", ignore_cleanup_errors=True)
            )
            try:
                child = await ChildProcess.start(
                    argv, receive, stdin=stdin, cwd=Path(folder), env=env, keeper=self._keeper
                )
            except OSError as error:
                raise _unusable(f"{argv[0]} cannot be started: {error.strerror}") from None
            call.log.make_wait(child.make_wait)
            status = await child.ended_or_stopped(call.stop, call.log.spoiled)
        answer = await self._answer(call)
        if status != 0:
            raise _failed(status, bytes(child.stderr), answer, keys)
        return answer


def estimated_tokens(text: str) -> int:
    """A token for every four characters, rounded up."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _some(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: environ[name] for name in names if name in environ}


def _failed(status: int, stderr: bytes, answer: str, keys: Mapping[str, str]) -> StageError:
    said = stderr.decode("utf-8", "replace").strip() or answer.strip()[-SAID_CHARACTERS:]
    for key in filter(None, keys.values()):
        said = said.replace(key, "[key]")
    return StageError(
        f"CLI execution failed: CLI exited with code {status}: {said}",
        type="ExitStatus",
        retryable=PASSING.search(said) is not None,
    )


def _unusable(message: str) -> StageError:
    return StageError(message, type="ToolUnavailable", retryable=False)
