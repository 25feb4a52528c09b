"""What a command is started with, and that nothing of an execution gets into it."""

import pytest
from runcast.core.running.stages.command import CommandRunner
from stage_attempts import command_call

pytestmark = pytest.mark.usefixtures("leaves_no_task")

ARGUMENTS = [
    "",
    " a  b ",
    "$HOME",
    "*",
    "'\"\\",
    "a\nb",
    "é😀",
    "{{prompt}}",
    "{{before}}",
    "-n",
    "x" * 99_999,
]


async def test_arguments_are_passed_as_they_are() -> None:
    """No shell and no template has a look at them, whatever the stage is given."""
    script = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"
    call = command_call(
        *("python3", "-c", script, *ARGUMENTS),
        input="what is given\0",
        outputs={"before": "what came\0before"},
    )
    assert (await CommandRunner().run(call)).value == "\0".join(ARGUMENTS)


async def test_a_nul_in_the_input_is_passed_on() -> None:
    """It is on stdin, where a NUL is a character like any other."""
    assert (await CommandRunner().run(command_call("cat", input="a\0b\0"))).value == "a\0b\0"
