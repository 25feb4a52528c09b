"""What is said of programs and folders that are not there."""

import json
from pathlib import Path
from typing import Any

import pytest
from runcast.core.pipelines.pipeline_file import load
from runcast.core.running.stages.command_needs import missing_of_commands


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipelines folder with a program `mine`, a file that is none, and a folder `sub`."""
    folder = tmp_path / "pipelines"
    (folder / "sub").mkdir(parents=True)
    for program in (folder / "mine", folder / "sub" / "below"):
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (folder / "text").write_text("x")
    return folder


def missing(folder: Path, **stage: Any) -> list[str]:
    path = folder / "p.json"
    content = {"pipeline": {"id": "p", "name": "P"}, "stages": [{"id": "one", **stage}]}
    path.write_text(json.dumps(content))
    problems = missing_of_commands(load(path), {"PATH": "/bin:/usr/bin", "MINE": str(folder)})
    return [problem.described.removeprefix("warning: stages[0].") for problem in problems]


@pytest.mark.parametrize(
    "stage",
    [
        {"command": ["cat"]},
        {"command": ["/bin/sh"]},
        {"command": ["./mine"]},
        {"command": ["below/../mine", "x"], "cwd": "."},
        {"command": ["./below"], "cwd": "sub"},
        {"command": ["../mine"], "cwd": "sub"},
        {"command": ["cat"], "cwd": "workdir"},
        {"command": ["./made-by-a-stage-before"], "cwd": "workdir"},
        {"call": "os:getpid"},
    ],
)
def test_what_is_there(folder: Path, stage: dict[str, Any]) -> None:
    """On the PATH, or where the stage runs; what is in an execution's own folder is not known."""
    (folder / "below").mkdir()
    assert missing(folder, **stage) == []


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"command": ["mine"]}, "command: there is no program `mine` on the PATH"),
        ({"command": ["a b"]}, "command: there is no program `a b` on the PATH"),
        ({"command": ["./nothing"]}, "command: there is no program `./nothing`"),
        ({"command": ["/bin/nothing"]}, "command: there is no program `/bin/nothing`"),
        ({"command": ["./mine"], "cwd": "sub"}, "command: there is no program `./mine`"),
        ({"command": ["./text"]}, "command: `./text` cannot be executed"),
        ({"command": ["./sub"]}, "command: there is no program `./sub`"),
        ({"command": ["./mine"], "cwd": "nowhere"}, "cwd: there is no folder `nowhere`"),
        ({"command": ["cat"], "cwd": "text"}, "cwd: there is no folder `text`"),
        ({"command": ["cat"], "env": ["PATH=/nowhere"]}, "command: there is no program `cat` on"),
        ({"command": ["n" * 5000]}, "command: there is no program `nnn"),
        ({"command": ["/" + "n" * 5000]}, "command: there is no program `/nnn"),
        ({"command": ["cat"], "cwd": "n" * 5000}, "cwd: there is no folder `nnn"),
    ],
)
def test_what_is_not_there(folder: Path, stage: dict[str, Any], message: str) -> None:
    """The program as the stage would look for it, and the folder that it would run in."""
    [problem] = missing(folder, **stage)
    assert problem.startswith(message)


def test_a_path_of_its_own(folder: Path) -> None:
    """A stage may set its PATH."""
    assert missing(folder, command=["mine"], env=[f"PATH={folder}"]) == []
