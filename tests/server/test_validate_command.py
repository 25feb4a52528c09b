"""`runcast validate`: what is wrong with pipeline files, and where."""

import os
from pathlib import Path

from server_process import PIPELINES, runcast

BAD = """\
pipeline: {id: bad, name: Bad, version: "1"}
stages:
  - id: one
    command: [cat]
    timeoutMs: soon
  - id: one
    call: nowhere
"""


def test_good_folder() -> None:
    """Good files are counted and named; the exit status is 0."""
    done = runcast("validate", str(PIPELINES))
    assert (done.returncode, done.stderr) == (0, "")
    assert "several-v1" in done.stdout


def test_every_problem(tmp_path: Path) -> None:
    """Each problem of each file is told with the file, the line and the place; the status is 1."""
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "broken.json").write_text('{"pipeline": ')
    (tmp_path / "good.yaml").write_text((PIPELINES / "echo.yaml").read_text())
    done = runcast("validate", str(tmp_path))
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    for start in (
        f"{tmp_path / 'bad.yaml'}:1: pipeline.version: ",
        f"{tmp_path / 'bad.yaml'}:5: stages[0].timeoutMs: ",
        f"{tmp_path / 'bad.yaml'}:6: stages[1].id: ",
        f"{tmp_path / 'bad.yaml'}:7: stages[1].call: ",
        f"{tmp_path / 'broken.json'}:1: not valid JSON",
    ):
        assert [line for line in lines if line.startswith(start)], f"{start} in {lines}"
    assert "good.yaml" not in done.stderr
    assert lines[-1].startswith("runcast: 5 problems in 2 ")


def test_data_and_strange_names(tmp_path: Path) -> None:
    """What a program has written is passed over; a name that is no text can be printed."""
    (tmp_path / "result.json").write_text('{"answer": 42}')
    good = tmp_path / os.fsdecode(b"\xff.yaml")
    good.write_text((PIPELINES / "echo.yaml").read_text())
    done = runcast("validate", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    good.write_text(BAD)
    done = runcast("validate", str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path}/\\udcff.yaml:1: pipeline.version: " in done.stderr


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A pipe nobody writes to, and a link to itself, are problems as others are."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    done = runcast("validate", str(tmp_path))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 3


def test_no_folder() -> None:
    """A folder that there is not is said by name."""
    done = runcast("validate", "/nowhere/at/all")
    assert done.returncode != 0
    assert "/nowhere/at/all" in done.stderr
