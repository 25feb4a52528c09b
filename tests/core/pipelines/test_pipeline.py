"""The definition models: what a pipeline file may say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from runcast.core.pipelines.pipeline import CommandStage, Pipeline, PipelineFile, PythonStage

HEAD = {"id": "p", "name": "P", "version": "1.0.0"}
STAGE = {"id": "s", "command": ["cat"]}


def definition(**changes: Any) -> PipelineFile:
    return PipelineFile.model_validate({"pipeline": HEAD, "stages": [STAGE], **changes})


def test_a_stage_with_a_command_is_a_command_stage() -> None:
    """`command` decides about the kind of a stage."""
    [stage] = definition(stages=[{"id": "s", "command": ["cat", "-"]}]).stages
    assert isinstance(stage, CommandStage)
    assert stage.command == ("cat", "-")


def test_a_stage_with_a_call_is_a_python_stage() -> None:
    """`call` decides about the kind of a stage."""
    [stage] = definition(stages=[{"id": "s", "call": "json:dumps"}]).stages
    assert isinstance(stage, PythonStage)
    assert stage.type == "python"


def test_a_stage_without_a_kind_says_what_it_needs() -> None:
    """Neither `command` nor `call`: the message names both."""
    with pytest.raises(ValidationError, match=r"`command` .* or `call`"):
        definition(stages=[{"id": "s"}])


def test_what_is_not_said_has_a_default() -> None:
    """A stage of two keys runs once, without a time limit, and may make a value of 64 MiB."""
    [stage] = definition().stages
    assert (stage.retry_count, stage.timeout_ms, stage.max_output_bytes) == (0, None, 64 << 20)
    assert stage.title == "s"


def test_a_definition_does_not_change() -> None:
    """Definitions are frozen: a running execution keeps what it started with."""
    [stage] = definition().stages
    with pytest.raises(ValidationError, match="frozen"):
        stage.id = "other"  # type: ignore[misc]


def test_two_stages_need_two_ids() -> None:
    """Stage ids are unique within a pipeline."""
    with pytest.raises(ValidationError, match="two stages have the id 's'"):
        definition(stages=[STAGE, STAGE])


@pytest.mark.parametrize(
    "stage",
    [
        {"id": "s", "command": []},
        {"id": "", "command": ["cat"]},
        {"id": "../s", "command": ["cat"]},
        {"id": "s" * 101, "command": ["cat"]},
        {"id": "s", "command": "cat /etc/hosts"},
        {"id": "s", "command": ["cat"], "retryCount": 6},
        {"id": "s", "command": ["cat"], "retryCount": -1},
        {"id": "s", "command": ["cat"], "timeoutMs": 0},
        {"id": "s", "command": ["cat"], "timeoutMs": 1 << 31},
        {"id": "s", "command": ["cat"], "timeout": 5},
        {"id": "s", "command": ["cat"], "maxOutputBytes": (4 << 30) + 1},
        {"id": "s", "call": "no_function"},
        {"id": "s", "call": "os:system('x')"},
    ],
)
def test_a_stage_that_cannot_run_is_refused(stage: dict[str, Any]) -> None:
    """Bounds, identifiers, empty commands and unknown keys are checked before anything runs."""
    with pytest.raises(ValidationError):
        definition(stages=[stage])


MODEL = {"providerID": "anthropic", "modelID": "m"}
PROMPT = {"id": "s", "model": MODEL, "prompt": {"template": "{{prompt}}"}}


@pytest.mark.parametrize(
    "stage",
    [
        STAGE | {"id": "s" * 100},
        STAGE | {"id": "9.a_b-c"},
        STAGE | {"retryCount": 0},
        STAGE | {"retryCount": 5},
        STAGE | {"timeoutMs": 1},
        STAGE | {"timeoutMs": (1 << 31) - 1},
        STAGE | {"retryDelayMs": 1},
        STAGE | {"maxOutputBytes": 1},
        STAGE | {"maxOutputBytes": 64 << 20},
        PROMPT | {"model": MODEL | {"temperature": 0}},
        PROMPT | {"model": MODEL | {"temperature": 2}},
        PROMPT | {"model": MODEL | {"maxTokens": 1}},
    ],
    ids=str,
)
def test_a_stage_at_the_bounds_is_accepted(stage: dict[str, Any]) -> None:
    """The least and the most that a key may say."""
    [found] = definition(stages=[stage]).stages
    assert found.model_dump(by_alias=True).items() >= {"id": stage["id"]}.items()


@pytest.mark.parametrize(
    ("settings", "accepted"),
    [
        ({"maxConcurrent": 0}, False),
        ({"maxConcurrent": 1}, True),
        ({"timeoutMs": 0}, False),
        ({"timeoutMs": 1}, True),
        ({"maxRetries": 5}, True),
        ({"maxRetries": 6}, False),
    ],
    ids=str,
)
def test_settings_have_bounds(settings: dict[str, Any], accepted: bool) -> None:
    """With none at a time nothing would ever run."""
    head = HEAD | {"settings": settings}
    if accepted:
        assert definition(pipeline=head)
    else:
        with pytest.raises(ValidationError):
            definition(pipeline=head)


def test_what_settings_do_not_say_has_a_default() -> None:
    """The first failure ends an execution, an early exit is one, and nothing else is limited."""
    settings = definition().pipeline.settings
    assert (settings.continue_on_error, settings.enable_early_exit) == (False, True)
    assert (settings.max_concurrent, settings.timeout_ms) == (None, None)


def test_a_stage_is_called_by_its_name() -> None:
    """By its id, if it has none."""
    named, unnamed = definition(stages=[STAGE | {"name": "Shout"}, STAGE | {"id": "t"}]).stages
    assert (named.title, unnamed.title) == ("Shout", "t")


@pytest.mark.parametrize(
    "version",
    [
        "0.0.0",
        "1.2.3",
        "01.2.3",
        "10.20.30",
        "1.0.0-beta",
        "1.0.0-0.3.7",
        "1.0.0-x.7.z.92",
        "1.0.0--",
        "1.0.0+20130313144700",
        "1.0.0-beta+exp.sha.5114f85",
        "1.0.0+001",
        "99999999999999999999999.999999999999999999.99999999999999999",
    ],
)
def test_a_version_is_a_semantic_one(version: str) -> None:
    """All that Semantic Versioning 2.0.0 allows, and what files of the old system may say."""
    assert definition(pipeline=HEAD | {"version": version}).pipeline.version == version


@pytest.mark.parametrize(
    "version",
    [
        "",
        "1",
        "1.0",
        "v1.0.0",
        "1.0.0\n",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0+a+b",
        "1.0.0-\u00e4",
        "1.0.0.0",
        "\u0661.0.0",
        "latest",
    ],
)
def test_what_is_no_version(version: str) -> None:
    """Numbers too few or too many, and parts that are empty or of other characters."""
    with pytest.raises(ValidationError, match="pattern"):
        definition(pipeline=HEAD | {"version": version})


def test_a_version_may_be_left_out() -> None:
    """It is shown as 0.0.0 then."""
    head = {key: value for key, value in HEAD.items() if key != "version"}
    assert definition(pipeline=head).pipeline.version == "0.0.0"


def test_a_pipeline_tells_what_its_file_says() -> None:
    """The short names lead into the definition, the folder to the file."""
    head = HEAD | {"description": "d", "settings": {"maxConcurrent": 2}}
    pipeline = Pipeline(definition=definition(pipeline=head), source={}, path=Path("a/b.yaml"))
    assert (pipeline.id, pipeline.name, pipeline.version) == ("p", "P", "1.0.0")
    assert pipeline.description == "d"
    assert pipeline.settings.max_concurrent == 2
    assert [stage.id for stage in pipeline.stages] == ["s"]
    assert pipeline.folder == Path("a")
