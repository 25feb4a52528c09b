"""Pipeline files with prompts, conditions and outputs: those of the old system load unchanged."""

from typing import Any

import pytest
from pydantic import ValidationError
from runcast.core.pipelines.pipeline import PipelineFile, PromptStage

MODEL = {"providerID": "anthropic", "modelID": "claude-opus-4-6"}
PROMPT = {"template": "Improve {{prompt}}"}

# Every key that a file of the old system may have (section 5.1 of the REST contract).
OLD_FILE: dict[str, Any] = {
    "pipeline": {
        "id": "prompt-optimizer-v1",
        "name": "Prompt Optimizer",
        "version": "1.0.0",
        "description": "Makes prompts better",
        "defaultProvider": "anthropic",
        "targetModel": MODEL | {"tier": "large", "maxTokens": 8192, "temperature": 0.5},
        "settings": {
            "enableCaching": True,
            "enableEarlyExit": True,
            "maxRetries": 2,
            "timeoutMs": 300000,
            "parallelExecution": False,
        },
    },
    "stages": [
        {
            "id": "stage-1-analyze",
            "name": "Analyze",
            "type": "analyze",
            "description": "Looks at the prompt",
            "model": MODEL | {"tier": "small", "maxTokens": 2048, "temperature": 0.3},
            "prompt": {
                "systemPrompt": "You are an analyst.",
                "template": "Analyze: {{userPrompt}}",
                "variables": [
                    {"name": "userPrompt", "source": "input", "path": "prompt", "required": True}
                ],
            },
            "output": {
                "format": "json",
                "schema": {"type": "object"},
                "extract": [{"name": "score", "path": "score", "required": False, "default": 0}],
            },
            "conditions": {
                "earlyExit": {
                    "condition": {"path": "score", "greaterThan": 9},
                    "returnStage": "stage-1-analyze",
                }
            },
            "retryCount": 0,
            "timeoutMs": 60000,
        },
        {
            "id": "stage-2-enhance",
            "name": "Enhance",
            "type": "enhance",
            "model": MODEL,
            "prompt": {
                "template": "{{analysis}} {{style}} {{all}}",
                "variables": [
                    {"name": "analysis", "source": "previousStage", "stageId": "stage-1-analyze"},
                    {"name": "style", "source": "static", "value": {"tone": "kind"}},
                    {"name": "all", "source": "context", "required": False},
                ],
            },
            "output": {"format": "markdown"},
            "conditions": {
                "skipIf": {
                    "condition": {"path": "score", "equals": 10},
                    "sourceStage": "stage-1-analyze",
                },
                "runIf": {"condition": {"path": "score", "exists": True}},
            },
        },
    ],
}


def loaded(
    *stages: dict[str, Any], settings: dict[str, Any] | None = None, **head: Any
) -> PipelineFile:
    """A file of prompt stages, each with what the test says of it."""
    pipeline = {"id": "p", "name": "P", "version": "1.0.0", "settings": settings or {}, **head}
    written = [
        {"id": f"s{number}", "model": MODEL, "prompt": PROMPT} | stage
        for number, stage in enumerate(stages or [{}], 1)
    ]
    return PipelineFile.model_validate({"pipeline": pipeline, "stages": written})


def prompt_stage(**keys: Any) -> PromptStage:
    [stage] = loaded(keys).stages
    assert isinstance(stage, PromptStage)
    return stage


def test_a_file_of_the_old_system_loads_unchanged() -> None:
    """Every key that such a file may have means something here, or is accepted."""
    file = PipelineFile.model_validate(OLD_FILE, by_alias=True, by_name=False)
    analyze, enhance = file.stages
    assert isinstance(analyze, PromptStage) and isinstance(enhance, PromptStage)
    assert file.pipeline.default_provider == "anthropic"
    assert file.pipeline.settings.continue_on_error
    assert (analyze.type, analyze.model.max_tokens, analyze.retry_count) == ("analyze", 2048, 0)
    assert analyze.output is not None and analyze.output.extract[0].default == 0
    assert enhance.conditions is not None and enhance.conditions.skip_if is not None
    assert enhance.conditions.skip_if.source_stage == "stage-1-analyze"
    assert [variable.source for variable in enhance.prompt.variables] == [
        "previousStage",
        "static",
        "context",
    ]


@pytest.mark.parametrize(
    "target",
    [
        MODEL,
        MODEL | {"tier": "small"},
        MODEL | {"maxTokens": 1, "temperature": 2},
        {"providerID": "elsewhere", "modelID": "another"},
        "claude",
        None,
    ],
    ids=str,
)
def test_a_target_model_is_a_model_or_its_name(target: Any) -> None:
    """The old system's own pipelines have an object there, other files a text."""
    head = loaded(targetModel=target).pipeline
    assert head.model_dump(by_alias=True, exclude_unset=True)["targetModel"] == target


@pytest.mark.parametrize(
    ("head", "provider"),
    [({}, "anthropic"), ({"defaultProvider": "google"}, "google")],
    ids=["left out", "given"],
)
def test_the_default_provider_has_a_default(head: dict[str, str], provider: str) -> None:
    """Section 5.1: anthropic."""
    assert loaded(**head).pipeline.default_provider == provider


def test_what_a_prompt_stage_does_not_say_has_a_default() -> None:
    """Those of section 5.1, and two more attempts when it says nothing of them."""
    stage = prompt_stage()
    assert (stage.kind, stage.type) == ("prompt", "custom")
    assert (stage.timeout_ms, stage.retry_count) == (60_000, 2)
    assert (stage.model.max_tokens, stage.model.temperature) == (4096, 0.7)
    assert stage.prompt.variables == ()


def test_a_timeout_of_zero_is_the_default() -> None:
    """Section 5.5: 0 meant 60 s."""
    assert prompt_stage(timeoutMs=0).timeout_ms == 60_000


@pytest.mark.parametrize("key", ["model", "prompt"])
def test_a_prompt_stage_is_known_by_either_key(key: str) -> None:
    """With one of the two, the error tells of the other one."""
    pipeline = {"id": "p", "name": "P", "version": "1.0.0"}
    stage = {"id": "s", key: {"model": MODEL, "prompt": PROMPT}[key]}
    with pytest.raises(ValidationError) as raised:
        PipelineFile.model_validate({"pipeline": pipeline, "stages": [stage]})
    error, _ = raised.value.errors()
    other = {"model": "prompt", "prompt": "model"}[key]
    assert (error["type"], error["loc"]) == ("missing", ("stages", 0, "prompt", other))


@pytest.mark.parametrize(
    "keys",
    [
        {"type": "finish"},
        {"model": MODEL | {"temperature": 2.1}},
        {"model": MODEL | {"temperature": -0.1}},
        {"model": MODEL | {"maxTokens": 0}},
        {"model": MODEL | {"tier": "huge"}},
        {"model": {"providerID": "anthropic"}},
        {"prompt": {"template": ""}},
        {"prompt": {"template": "x", "variables": [{"name": "a", "source": "previous"}]}},
        {"output": {"format": "xml"}},
        {"output": {"extract": [{"name": "a"}]}},
        {"conditions": {"skipIf": {"path": "a", "equals": 1}}},
        {"conditions": {"skipIf": {"condition": {"path": "a", "equal": 1}}}},
        {"retryCount": 6},
        {"timeoutMs": -1},
    ],
)
def test_a_prompt_stage_that_makes_no_sense_is_refused(keys: dict[str, Any]) -> None:
    """Bounds, words and unknown keys are checked before anything runs."""
    with pytest.raises(ValidationError):
        loaded(keys)


def test_every_kind_of_stage_has_conditions_an_output_and_an_input() -> None:
    """They are not the privilege of prompts."""
    keys = {
        "input": "{{prompt}}!",
        "output": {"format": "json"},
        "conditions": {"runIf": {"condition": {"path": "prompt", "exists": True}}},
    }
    pipeline = {"id": "p", "name": "P", "version": "1.0.0"}
    stages = [{"id": "a", "command": ["cat"], **keys}, {"id": "b", "call": "m:f", **keys}]
    file = PipelineFile.model_validate({"pipeline": pipeline, "stages": stages})
    for stage in file.stages:
        assert stage.input == "{{prompt}}!"
        assert stage.output is not None and stage.output.format == "json"
        assert stage.conditions is not None and stage.conditions.run_if is not None


@pytest.mark.parametrize(
    ("settings", "continues"),
    [
        ({}, False),
        ({"enableCaching": True}, True),
        ({"enableCaching": False}, False),
        ({"continueOnError": True}, True),
        ({"continueOnError": True, "enableCaching": True}, True),
        ({"continueOnError": False, "enableCaching": False}, False),
    ],
)
def test_enable_caching_is_read_as_continue_on_error(
    settings: dict[str, bool], continues: bool
) -> None:
    """It is what the old name did; left out it is false, as the old server had it at run time."""
    assert loaded(settings=settings).pipeline.settings.continue_on_error is continues


@pytest.mark.parametrize("caching", [True, False])
def test_the_old_and_the_new_name_may_not_differ(caching: bool) -> None:
    """One of them would have to be ignored."""
    settings = {"enableCaching": caching, "continueOnError": not caching}
    with pytest.raises(ValidationError, match="old name of `continueOnError`"):
        loaded(settings=settings)


def previous(stage_id: str) -> dict[str, Any]:
    variable = {"name": "v", "source": "previousStage", "stageId": stage_id}
    return {"prompt": PROMPT | {"variables": [variable]}}


def looking_at(stage_id: str, key: str = "skipIf") -> dict[str, Any]:
    return {"conditions": {key: {"condition": {"path": "a"}, "sourceStage": stage_id}}}


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (previous("gone"), "stages.1.prompt.variables.0.stageId"),
        (looking_at("gone"), "stages.1.conditions.skipIf.sourceStage"),
        (looking_at("gone", "runIf"), "stages.1.conditions.runIf.sourceStage"),
        (
            {"conditions": {"earlyExit": {"condition": {"path": "a"}, "returnStage": "gone"}}},
            "stages.1.conditions.earlyExit.returnStage",
        ),
    ],
)
def test_a_stage_that_is_named_is_there(keys: dict[str, Any], place: str) -> None:
    """The message says where, and which one is missing."""
    with pytest.raises(ValidationError) as raised:
        loaded({}, keys, {})
    [error] = raised.value.errors()
    assert error["msg"] == f'{place}: there is no stage "gone"'


@pytest.mark.parametrize("stage_id", ["s2", "s3"])
@pytest.mark.parametrize("naming", [previous, looking_at])
def test_a_stage_that_is_looked_at_runs_before(naming: Any, stage_id: str) -> None:
    """Neither the stage itself nor a later one has handed anything over by then."""
    with pytest.raises(ValidationError, match=f'stage "{stage_id}" does not run before this one'):
        loaded({}, naming(stage_id), {})
    loaded({}, naming("s1"), {})


def test_all_loose_references_are_told_at_once() -> None:
    """With their places as data too, for messages with line numbers."""
    with pytest.raises(ValidationError) as raised:
        loaded(previous("x"), looking_at("y"))
    [error] = raised.value.errors()
    assert set(error["ctx"]["places"]) == {
        ("stages", 0, "prompt", "variables", 0, "stageId"),
        ("stages", 1, "conditions", "skipIf", "sourceStage"),
    }
