"""The prompt runner: a rendered template, and the mode in which it is asked."""

from pathlib import Path

import pytest
from model_server import ModelServer
from prompts import a_prompt_call, a_prompt_stage
from runcast.core.errors import StageError
from runcast.core.running.stages.prompt import PromptRunner, default_mode, rendered

ECHO = {"claude": ("sh", "-c", "cat")}
VARIABLES = [
    {"name": "score", "source": "previousStage", "stageId": "analyze", "path": "score"},
    {"name": "given", "source": "previousStage"},
]


async def test_the_template_is_rendered_for_the_call() -> None:
    """From the input, earlier stages, and what the stage is given."""
    template = "{{prompt}} / {{score}} / {{given}} / {{analyze.tips.0}}"
    stage = a_prompt_stage(prompt={"template": template, "variables": VARIABLES})
    outputs = {"analyze": {"score": 7, "tips": ["brief"]}}
    call = a_prompt_call(stage, pipeline_input="in", input="the stage before", outputs=outputs)
    assert await rendered(call) == "in / 7 / the stage before / brief"


async def test_a_template_that_cannot_be_rendered_asks_nobody() -> None:
    """The stage fails with the name that is missing, and is not tried again."""
    stage = a_prompt_stage(prompt={"template": "{{score}}", "variables": VARIABLES})
    async with PromptRunner({}) as runner:
        with pytest.raises(StageError, match='Required variable "score" not found') as raised:
            await runner.run(a_prompt_call(stage, execution_mode="api"))
    assert not raised.value.retryable


async def test_the_raw_answer_is_the_value(tmp_path: Path) -> None:
    """Also of a stage with an output format: reading it is left to the executor."""
    stage = a_prompt_stage(
        prompt={"template": 'Sure: {"a": 1}'}, output={"format": "json", "extract": []}
    )
    async with PromptRunner({"PATH": "/usr/bin:/bin"}, ECHO) as runner:
        result = await runner.run(a_prompt_call(stage, execution_mode="cli"))
    assert result.value == 'Sure: {"a": 1}'


async def test_the_mode_of_the_call_decides() -> None:
    """Whatever the environment would allow."""
    async with ModelServer() as server:
        environ = {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "key",
            "ANTHROPIC_BASE_URL": server.url,
        }
        async with PromptRunner(environ, ECHO) as runner:
            api = await runner.run(a_prompt_call(execution_mode="api"))
            cli = await runner.run(a_prompt_call(execution_mode="cli"))
            unsaid = await runner.run(a_prompt_call())
    assert (api.value, unsaid.value) == ("Good morning", "Good morning")
    assert cli.value == "Be brief.\n\nImprove: my text"


async def test_an_unknown_mode_is_refused() -> None:
    """It is not read as one of the two (B10)."""
    async with PromptRunner({}) as runner:
        with pytest.raises(StageError, match='no execution mode "bogus"'):
            await runner.run(a_prompt_call(execution_mode="bogus"))


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({}, "cli"),
        ({"ANTHROPIC_API_KEY": ""}, "cli"),
        ({"ANTHROPIC_API_KEY": "key"}, "api"),
        ({"OPENAI_API_KEY": "key"}, "api"),
        ({"GEMINI_API_KEY": "key"}, "api"),
        ({"OPENAI_BASE_URL": "http://localhost:8080/v1"}, "api"),
        ({"ANTHROPIC_BASE_URL": "http://localhost:8080"}, "cli"),
    ],
)
def test_the_default_mode_is_what_the_environment_allows(
    environ: dict[str, str], mode: str
) -> None:
    """`api` with a key (section 2.3), or with a model server of one's own; else `cli`."""
    assert default_mode(environ) == mode
