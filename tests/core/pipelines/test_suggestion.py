"""What is suggested for a key that there is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from runcast.core.pipelines.pipeline_file import PipelineFileError, load
from runcast.core.pipelines.suggestion import SYNONYMS, nearest

KNOWN = ("command", "retryCount", "retryDelayMs", "timeoutMs", "env", "cwd", "id", "name")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("comand", "command"),
        ("COMMAND", "command"),
        ("retries", "retryCount"),
        ("retry_count", "retryCount"),
        ("retry-count", "retryCount"),
        ("timeout", "timeoutMs"),
        ("cmd", "command"),
        ("run", "command"),
        ("environment", "env"),
        ("working_directory", "cwd"),
        ("workingDir", "cwd"),
        ("title", "name"),
        ("steps", None),
        ("zzz", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None) -> None:
    """One that is spelled almost like it, or another system's name for the same."""
    assert nearest(name, KNOWN) == meant


def test_names_of_other_systems_are_written_plainly() -> None:
    """Otherwise they would never be found."""
    assert [name for name in SYNONYMS if not (name.isalpha() and name.islower())] == []


def problems(path: Path, stage: dict[str, Any], **keys: Any) -> list[str]:
    path.write_text(json.dumps({"pipeline": {"id": "p", "name": "P"}, "stages": [stage], **keys}))
    with pytest.raises(PipelineFileError) as caught:
        load(path)
    return [problem.described for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("comand", "command"),
        ("cmd", "command"),
        ("run", "command"),
        ("function", "call"),
        ("calls", "call"),
        ("modle", "model"),
        ("promt", "prompt"),
    ],
)
def test_the_key_that_makes_a_stage(tmp_path: Path, key: str, meant: str) -> None:
    """Without it nothing is known of the other keys, and still it is found."""
    [problem] = problems(tmp_path / "p.json", {"id": "one", key: ["cat"], "name": "One"})
    assert problem.endswith(f"; did you mean `{meant}` by `{key}`?")


def test_no_suggestion_for_a_stage_without_any(tmp_path: Path) -> None:
    """The keys that every stage has are not taken for those of a kind."""
    [problem] = problems(tmp_path / "p.json", {"id": "one", "name": "One", "input": "x"})
    assert "did you mean" not in problem


@pytest.mark.parametrize(
    ("key", "meant"), [("retries", "retryCount"), ("when", None), ("dir", "cwd"), ("if", None)]
)
def test_a_key_of_a_stage(tmp_path: Path, key: str, meant: str | None) -> None:
    """What is suggested is always a key of that place."""
    [problem] = problems(tmp_path / "p.json", {"id": "one", "command": ["cat"], key: 3})
    meant = meant or "conditions"
    assert problem == f"stages[0].{key}: unknown key `{key}`; did you mean `{meant}`?"


def test_a_key_of_the_file(tmp_path: Path) -> None:
    """What others call steps are stages."""
    stage = {"id": "one", "command": ["cat"]}
    [problem] = problems(tmp_path / "p.json", stage, steps=[])
    assert problem == "steps: unknown key `steps`; did you mean `stages`?"
