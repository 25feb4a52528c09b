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


NEEDS = """\
pipeline: {id: needs, name: Needs}
stages:
  - id: one
    command: [no-such-program, "{{prompt}}"]
  - id: two
    command: [cat]
    cwd: nowhere
"""


def test_warnings_fail_nothing(tmp_path: Path) -> None:
    """What may be missing on this machine only is shown and counted; the status is 0."""
    file = tmp_path / "needs.yaml"
    file.write_text(NEEDS)
    for path in (file, tmp_path):
        done = runcast("validate", str(path))
        assert (done.returncode, done.stdout) == (0, "1 pipeline, 3 warnings: needs\n")
        assert done.stderr.splitlines() == [
            f"{file}:4: warning: stages[0].command[1]: `{{{{prompt}}}}` is passed as it is: "
            "only `input` and `prompt.template` are templates",
            f"{file}:4: warning: stages[0].command: there is no program `no-such-program` "
            "on the PATH",
            f"{file}:7: warning: stages[1].cwd: there is no folder `nowhere`",
        ]


def test_one_file(tmp_path: Path) -> None:
    """The other files of its folder are not looked at, but for the functions that it calls."""
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "mine.py").write_text("def works(text):\n    return text\n")
    file = tmp_path / "calls.yaml"
    head = "pipeline: {id: calls, name: Calls}\nstages:\n"
    file.write_text(head + "  - {id: one, call: 'mine:works'}\n")
    done = runcast("validate", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    file.write_text(head + "  - {id: a, call: 'mine:breaks'}\n  - {id: b, call: 'other:works'}\n")
    done = runcast("validate", str(file))
    assert done.returncode == 1
    first, second, count = done.stderr.splitlines()
    assert first == f"{file}:3: stages[0].call: mine has no function breaks"
    assert second.startswith(f"{file}:4: stages[1].call: other cannot be imported")
    assert count == f"runcast: 2 problems in {file}"


def test_a_file_that_is_no_pipeline(tmp_path: Path) -> None:
    """Data is passed over in a folder; who names it, wants to know."""
    (tmp_path / "data.json").write_text("{}")
    assert runcast("validate", str(tmp_path / "data.json")).returncode == 1
    assert runcast("validate", str(tmp_path)).returncode == 0


def test_the_current_folder(tmp_path: Path) -> None:
    """It is the default."""
    done = runcast("validate", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no pipelines in .\n")
    (tmp_path / "needs.yaml").write_text(NEEDS.replace("[cat]", "['']"))
    done = runcast("validate", cwd=tmp_path)
    assert done.returncode == 1
    assert "needs.yaml:6: stages[1].command: the program must not be empty\n" in done.stderr
    assert done.stderr.endswith("runcast: 1 problem and 1 warning in 1 of the files in .\n")
