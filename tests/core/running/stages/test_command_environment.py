"""What a command sees in its environment."""

import asyncio
import sys
from pathlib import Path

import pytest
from patience import until
from runcast.core.running.stages.command import CommandRunner
from stage_attempts import Emitted, command_call, shell_call

pytestmark = pytest.mark.usefixtures("leaves_no_task")


async def test_a_python_program_is_heard_while_it_runs(tmp_path: Path) -> None:
    """Its first words come while it still waits for the test to go on."""
    script = "import os, time\nprint('one')\nwhile not os.path.exists('go'): time.sleep(0.02)"
    emitted = Emitted()
    call = command_call(sys.executable, "-c", script, folder=tmp_path, emit=emitted)
    run = asyncio.create_task(CommandRunner().run(call))
    await until(lambda: emitted.text == "one\n")
    assert not run.done()
    (tmp_path / "go").touch()
    assert (await run).value == "one"


@pytest.mark.parametrize(
    ("environ", "env", "seen"),
    [
        ({}, [], "1"),
        ({"PYTHONUNBUFFERED": ""}, [], "1"),
        ({}, ["PYTHONUNBUFFERED="], ""),
        ({}, ["PYTHONUNBUFFERED=2"], "2"),
        ({}, ["PYTHONUNBUFFERED=2", "PYTHONUNBUFFERED=3"], "3"),
        ({"PYTHONUNBUFFERED": "of the server"}, ["PYTHONUNBUFFERED"], "of the server"),
        ({}, ["PYTHONUNBUFFERED"], "unset"),
        ({}, ["PYTHONUNBUFFERED", "OTHER=4"], "unset"),
    ],
    ids=str,
)
async def test_the_file_has_the_last_word(
    environ: dict[str, str], env: list[str], seen: str
) -> None:
    """It may set the variable, empty it, or leave it to the environment of the server."""
    runner = CommandRunner({"PATH": "/usr/bin:/bin", **environ})
    call = shell_call('printf %s "${PYTHONUNBUFFERED-unset}"', env=tuple(env))
    assert (await runner.run(call)).value == seen
