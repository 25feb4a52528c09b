"""`cli` mode: real child processes, with a stand-in for each tool on the PATH."""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from memory_stores import HeardLog
from patience import until
from prompts import a_prompt_call, a_prompt_stage
from runcast.core.errors import StageError
from runcast.core.execution.model import Usage
from runcast.core.running.stages import StageResult, Stop
from runcast.core.running.stages.tools import Tools

pytestmark = pytest.mark.usefixtures("leaves_no_process", "leaves_no_task")

QUESTION = "Be brief.\n\nthe prompt"


@pytest.fixture
def tools(tmp_path: Path) -> "StandIns":
    return StandIns(tmp_path / "bin")


class StandIns:
    """A folder of shell scripts in the place of the tools."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}

    def put(self, name: str, script: str, interpreter: str = "/bin/sh") -> None:
        """Makes a command of that name."""
        path = self._folder / name
        path.write_text(f"#!{interpreter}\n{script}\n")
        path.chmod(0o755)

    async def answer(self, **values: Any) -> StageResult:
        """What the model is said to have answered."""
        return await Tools(self.environ).answer(a_prompt_call(**values), "the prompt")

    async def failure(self, **values: Any) -> StageError:
        """Why there is no answer."""
        with pytest.raises(StageError) as raised:
            await self.answer(**values)
        return raised.value


@pytest.mark.parametrize(
    ("tool", "program", "arguments"),
    [
        (None, "claude", "-p - --print"),
        ("claude", "claude", "-p - --print"),
        ("opencode", "opencode", "ask -"),
        ("aider", "aider", "--message - --no-git"),
    ],
)
async def test_a_tool_gets_the_question_on_stdin(
    tools: StandIns, tool: str | None, program: str, arguments: str
) -> None:
    """System prompt, a blank line, the prompt; the arguments are those of section 5.5."""
    tools.put(program, 'echo "$@"; cat')
    result = await tools.answer(cli_tool=tool)
    assert result.value == f"{arguments}\n{QUESTION}"
    assert result.model == f"{program}:claude-opus-4-6"


async def test_tokens_are_estimated_and_cost_nothing(tools: StandIns) -> None:
    """A quarter of the characters, rounded up, of the question and of the trimmed answer."""
    tools.put("claude", "cat > /dev/null; printf '\\n  12345 \\n\\n'")
    result = await tools.answer()
    assert result.value == "12345"
    assert len(QUESTION) == 21
    assert result.usage == Usage(6, 2, 0.0)


async def test_without_a_system_prompt_there_is_only_the_prompt(tools: StandIns) -> None:
    """No blank line before it either."""
    tools.put("claude", "cat")
    stage = a_prompt_stage(prompt={"template": "x"})
    assert (await tools.answer(stage=stage)).value == "the prompt"


async def test_what_a_tool_writes_is_put_out_at_once(tools: StandIns) -> None:
    """The first words are there while the tool still thinks; a cancel ends it and its children."""
    tools.put("claude", "echo $$; echo first words; sleep 600; echo never")
    texts: list[str] = []
    task = asyncio.create_task(tools.answer(emit=texts.append))
    await until(lambda: "first words" in "".join(texts))
    process = psutil.Process(int("".join(texts).split()[0]))
    assert process.is_running()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not process.is_running()


async def test_a_tool_that_ignores_term_is_killed_after_the_grace(tools: StandIns) -> None:
    """It has gone when the cancel is over."""
    tools.put("claude", "trap '' TERM; echo $$; while :; do sleep 0.05; done")
    texts: list[str] = []
    task = asyncio.create_task(tools.answer(emit=texts.append, stop=Stop(grace=0.2)))
    await until(lambda: "\n" in "".join(texts))
    process = psutil.Process(int("".join(texts)))
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not process.is_running()
    assert time.monotonic() - began >= 0.2


async def test_a_tool_need_not_read_its_question(tools: StandIns) -> None:
    """However long that is."""
    tools.put("claude", "echo done")
    call = a_prompt_call()
    result = await Tools(tools.environ).answer(call, "x" * 1_000_000)
    assert result.value == "done"


async def test_an_answer_may_be_as_large_as_its_limit(tools: StandIns) -> None:
    """300 kB come through whole, white space around them not counted as answer."""
    tools.put("claude", "cat > /dev/null; head -c 300000 /dev/zero | tr '\\0' x; echo")
    assert (await tools.answer()).value == "x" * 300_000
    stage = a_prompt_stage(maxOutputBytes=300_001)
    assert (await tools.answer(stage=stage)).value == "x" * 300_000


@pytest.mark.parametrize("end", ["", "; trap '' TERM; sleep 600", "; exit 3"])
async def test_an_answer_over_its_limit_ends_the_tool_at_once(tools: StandIns, end: str) -> None:
    """Nothing of it is handed on; what was said is put out all the same."""
    tools.put("claude", f"cat > /dev/null; head -c 1001 /dev/zero | tr '\\0' x{end}")
    texts: list[str] = []
    stage = a_prompt_stage(maxOutputBytes=1000)
    async with asyncio.timeout(30):
        error = await tools.failure(stage=stage, emit=texts.append, stop=Stop(grace=600))
    assert (error.type, error.retryable) == ("OutputTooLarge", False)
    assert "more than 1,000 bytes" in error.message
    assert "".join(texts) == "x" * 1001


async def test_what_a_tool_complains_about_is_heard(tools: StandIns) -> None:
    """Its stderr is in the log while it works, and no part of the answer."""
    log = HeardLog()
    tools.put("claude", "echo thinking >&2; cat > /dev/null; echo yes; echo done >&2")
    assert (await tools.answer(log=log)).value == "yes"
    assert log.stderr == "thinking\ndone\n"


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo no credit >&2; exit 3", 3, "no credit"),
        ("echo said on stdout; exit 1", 1, "said on stdout"),
        ("echo out; echo err >&2; exit 1", 1, "err"),
        ("kill -9 $$", -9, ""),
    ],
)
async def test_an_exit_status_that_is_not_0_is_a_failure(
    tools: StandIns, script: str, status: int, said: str
) -> None:
    """With what stderr says, or else stdout, in the words that clients know (section 5.5)."""
    tools.put("claude", script)
    error = await tools.failure()
    message = f"CLI execution failed: CLI exited with code {status}: {said}"
    assert (error.type, error.message) == ("ExitStatus", message)


@pytest.mark.parametrize(
    ("said", "retryable"),
    [
        ("Request timed out", True),
        ("read ECONNRESET", True),
        ("connect ETIMEDOUT 1.2.3.4:443", True),
        ("API Error: 429 rate_limit_error", True),
        ("Error: 529 Overloaded", True),
        ("503 Service Unavailable", True),
        ("Invalid API key", False),
        ("line 4290: syntax error", False),
        ("", False),
    ],
)
async def test_only_what_passes_is_worth_another_attempt(
    tools: StandIns, said: str, retryable: bool
) -> None:
    """The old server's filter never matched upper case or numbers (B21)."""
    tools.put("claude", f"echo '{said}' >&2; exit 1")
    assert (await tools.failure()).retryable is retryable


async def test_a_tool_that_is_not_installed_is_named(tools: StandIns, tmp_path: Path) -> None:
    """Another attempt would not find it either."""
    tools.environ["PATH"] = str(tmp_path)
    error = await tools.failure(cli_tool="opencode")
    message = "the CLI tool opencode is not installed: no opencode on the PATH"
    assert (error.message, error.retryable) == (message, False)


async def test_a_tool_that_cannot_be_run_says_why(tools: StandIns) -> None:
    """A script without its interpreter."""
    tools.put("claude", "", interpreter="/no/such/interpreter")
    error = await tools.failure()
    assert error.message.endswith("cannot be started: No such file or directory")
    assert not error.retryable


async def test_only_known_tools_are_run(tools: StandIns) -> None:
    """A name is looked up in a table, it is never a command (B11)."""
    tools.put("evil", "echo evil")
    for name in ("evil", "/bin/ls", "claude; ls"):
        error = await tools.failure(cli_tool=name)
        assert error.message.startswith(f'there is no CLI tool "{name}"')
        assert not error.retryable


async def test_a_configured_command_is_run_as_it_is(tools: StandIns) -> None:
    """An argv list, without a shell."""
    commands = {"mine": ("sh", "-c", 'printf "%s|" "$@"', "x", "a b", "$HOME", "*")}
    runs = Tools(tools.environ, commands)
    result = await runs.answer(a_prompt_call(cli_tool="mine"), "the prompt")
    assert result.value == "a b|$HOME|*|"


async def test_a_tool_runs_in_an_empty_folder_of_its_own(tools: StandIns) -> None:
    """What edits files finds none of ours; the folder goes with it."""
    tools.put("claude", "ls -A; pwd; touch left-behind")
    folder = Path(str((await tools.answer()).value))
    assert folder.name.startswith("runcast-")
    assert folder.name not in os.listdir(tempfile.gettempdir())  # noqa: PTH208


KEYS = {
    "ANTHROPIC_API_KEY": "anthropic-key",
    "OPENAI_API_KEY": "openai-key",
    "GEMINI_API_KEY": "google-key",
    "RUNCAST_TOKEN": "server-token",
    "DATABASE_PASSWORD": "password",
}


@pytest.mark.parametrize(
    ("tool", "provider", "seen"),
    [
        ("claude", "anthropic", {"ANTHROPIC_API_KEY"}),
        ("claude", "openai", {"ANTHROPIC_API_KEY"}),
        ("aider", "openai", {"OPENAI_API_KEY"}),
        ("opencode", "google", {"GEMINI_API_KEY"}),
        ("aider", "acme", set()),
    ],
)
async def test_a_tool_sees_the_keys_of_its_own_provider(
    tools: StandIns, tool: str, provider: str, seen: set[str]
) -> None:
    """PATH and HOME, by which it finds its login, but nothing else of the server's secrets."""
    tools.environ |= KEYS | {"XDG_CONFIG_HOME": "/config"}
    tools.put(tool, "env")
    result = await tools.answer(cli_tool=tool, stage=a_prompt_stage(provider))
    names = {line.partition("=")[0] for line in str(result.value).splitlines()}
    assert names & KEYS.keys() == seen
    assert {"PATH", "HOME", "XDG_CONFIG_HOME"} <= names


async def test_a_key_that_a_tool_quotes_is_taken_out(tools: StandIns) -> None:
    """It would be shown to clients."""
    tools.environ |= KEYS
    tools.put("claude", 'echo "bad key: $ANTHROPIC_API_KEY" >&2; exit 1')
    assert (await tools.failure()).message.endswith("bad key: [key]")
