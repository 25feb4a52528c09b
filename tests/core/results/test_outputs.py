"""Result files: section 3 of the REST contract."""

import json
import os
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ended_results import ENDED_AT, a_stage, an_ended
from hypothesis import given
from hypothesis.strategies import from_regex
from runcast.core.errors import InvalidInput, NotFound
from runcast.core.execution.model import (
    EndReason,
    Failure,
    StageRun,
    StageStatus,
    Status,
)
from runcast.core.results import outputs as outputs_module
from runcast.core.results.open_result import ResultFile
from runcast.core.results.outputs import Outputs
from runcast.core.results.result_file import NAME, owner_of, result_name
from samples import spoken

SECOND = "2027-01-15T08-00-00"


def whole(outputs: Outputs, filename: str) -> bytes:
    """What is in a result file."""
    file = outputs.find(filename)
    return b"".join(file.read(0, file.size))


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(tmp_path / "outputs")


def test_a_file_has_the_name_that_the_dashboard_knows(outputs: Outputs) -> None:
    """Pipeline, time of the end in UTC, and what tells it from all others."""
    name = outputs.save(an_ended("exec_1799_k3j"))
    assert name == f"result-demo-{SECOND}-1799_k3j.json"
    assert re.fullmatch(r"result-[\w.-]+\.json", name)


def test_what_is_in_a_file(outputs: Outputs) -> None:
    """The contract's keys, in its order, and the execution's id."""
    content = json.loads(whole(outputs, outputs.save(an_ended())))
    assert content == {
        "pipelineId": "demo",
        "status": "success",
        "timestamp": "2027-01-15T08:00:00.123Z",
        "input": {"prompt": "hello"},
        "output": {"optimizedPrompt": "some text", "one": {"a": 1}},
        "stages": [
            {
                "stageId": "one",
                "stageName": "One",
                "status": "completed",
                "duration": 25,
                "model": "claude:sonnet",
                "cost": 0.25,
                "inputTokens": 3,
                "outputTokens": 4,
                "output": "some text",
                "parsedOutput": {"a": 1},
            },
            {
                "stageId": "two",
                "stageName": "Two",
                "status": "skipped",
                "duration": 0,
                "model": "",
                "cost": 0.0,
                "inputTokens": 0,
                "outputTokens": 0,
                "output": None,
                "error": "not needed",
            },
        ],
        "summary": {
            "stagesRun": 1,
            "stagesSkipped": 1,
            "stagesFailed": 0,
            "totalDuration": 500,
            "totalCost": 0.25,
            "totalInputTokens": 3,
            "totalOutputTokens": 4,
        },
        "executionId": "exec_1_a",
        "queuedMs": 26_000,
    }
    assert list(content)[:4] == ["pipelineId", "status", "timestamp", "input"]


def test_a_failure_and_what_was_never_reached(outputs: Outputs) -> None:
    """The error is there at the stage and as a whole; stages that never began are missing."""
    wrong = Failure("StageError", "no luck", "one")
    failed = an_ended(
        status=Status.FAILED,
        end_reason=EndReason.STAGE_ERROR,
        error=wrong,
        stages=(
            a_stage("one", status=StageStatus.FAILED, error=wrong),
            StageRun("two", "Two", "custom"),
        ),
    )
    content = json.loads(whole(outputs, outputs.save(failed)))
    assert (content["status"], content["error"], content["output"]) == ("failed", "no luck", {})
    assert [(one["stageId"], one["status"]) for one in content["stages"]] == [("one", "failed")]
    assert content["stages"][0]["error"] == "no luck"


def test_a_cancelled_stage_and_an_early_exit(outputs: Outputs) -> None:
    """A cancelled stage has failed; an early exit names its returnStage."""
    cancelled = an_ended(
        status=Status.CANCELLED,
        end_reason=EndReason.CANCELLED_BY_USER,
        stages=(a_stage("one", status=StageStatus.CANCELLED),),
    )
    early = an_ended("exec_2_b", end_reason=EndReason.EARLY_EXIT, return_stage="one")
    first = json.loads(whole(outputs, outputs.save(cancelled)))
    second = json.loads(whole(outputs, outputs.save(early)))
    assert first["status"] == "cancelled"
    assert first["stages"][0]["status"] == "failed"
    assert first["stages"][0]["error"] == "Cancelled"
    assert second["status"] == "early_exit"
    assert second["earlyExitStage"] == "one"


def test_long_output_is_cut(outputs: Outputs) -> None:
    """B23: in the file as everywhere."""
    text = "x" * 300_000
    stage = a_stage("one", status=StageStatus.COMPLETED, log=spoken(text), value=text)
    content = json.loads(whole(outputs, outputs.save(an_ended(stages=(stage,)))))
    cut = "x" * 51_200 + "\n...[output truncated]..."
    assert content["stages"][0]["output"] == content["stages"][0]["parsedOutput"] == cut
    assert content["output"] == {"optimizedPrompt": cut, "one": cut}


def test_the_last_stage_that_was_completed_is_the_one_that_counts(outputs: Outputs) -> None:
    """Its `optimizedPrompt`, or else its text; a model's text as it was before it was read."""
    first, later = (
        a_stage(id, status=StageStatus.COMPLETED, value=f"of {id}", log=spoken(text))
        for id, text in (("one", "first"), ("two", "later"))
    )
    failed = a_stage("three", status=StageStatus.FAILED)

    def counts(*stages: StageRun) -> object:
        content = json.loads(whole(outputs, outputs.save(an_ended(stages=stages))))
        return content["output"].get("optimizedPrompt")

    assert counts(first, later, failed) == "of two"
    assert counts(later, first) == "of one"
    assert counts(first, replace(later, value={"optimizedPrompt": "best"})) == "best"
    assert counts(first, replace(later, value={"optimizedPrompt": None})) != "best"
    assert counts(first, replace(later, value={"a": 1}, model="m")) == "later"
    assert counts(first, replace(later, value={"a": 1})) == '{\n  "a": 1\n}'
    assert counts(failed) is None


def test_whatever_is_long_in_a_value_is_cut(outputs: Outputs) -> None:
    """Texts in lists and objects, however deep; what a stage has dropped is said to be cut."""
    long = "x" * 60_000
    cut = "x" * 51_200 + "\n...[output truncated]..."
    value = {"a": [long, {"b": long, "c": 1}], "d": long[:51_200]}
    short = replace(spoken("so far"), cut=True)
    stage = a_stage("one", status=StageStatus.COMPLETED, value=value, log=short)
    content = json.loads(whole(outputs, outputs.save(an_ended(stages=(stage,)))))
    expected = {"a": [cut, {"b": cut, "c": 1}], "d": long[:51_200]}
    assert content["stages"][0]["parsedOutput"] == content["output"]["one"] == expected
    assert content["stages"][0]["output"] == "so far\n...[output truncated]..."


LARGE = "large\n" * 400_000


@pytest.mark.parametrize("last", [0, 1, 12])
def test_a_large_file_is_listed_like_any_other(outputs: Outputs, last: int) -> None:
    """The same numbers, of which the ends of the file have all: whatever stages and errors say."""
    said = '  "summary": {\n    "totalDuration": 7\n  }'
    wrong = Failure("StageError", said * last, "one")
    stage = a_stage("one", status=StageStatus.COMPLETED, log=spoken(said), value={"summary": said})
    many = [replace(stage, id=f"s{number}") for number in range(last)]
    execution = an_ended(stages=(stage, *many), error=wrong, pipeline_name=said)
    small = outputs.save(execution)
    large = outputs.save(replace(execution, id="exec_1_b", input=LARGE))
    assert (outputs.folder / large).stat().st_size > outputs_module.PARSED_BYTES
    one, two = sorted(outputs.list(), key=lambda each: each.filename)
    assert (one, two) == (replace(two, filename=small), replace(one, filename=large))
    assert (two.duration, two.stages_run) == (500, 1 + last)
    assert json.loads(whole(outputs, large))["input"] == {"prompt": LARGE}


@pytest.mark.parametrize("content", ["[" * (2 << 20), "x" * (2 << 20), " " * (2 << 20)])
def test_what_is_large_and_no_result_is_left_out_of_the_list(
    outputs: Outputs, content: str
) -> None:
    """And the others are there."""
    name = outputs.save(an_ended())
    (outputs.folder / "result-broken.json").write_text(content)
    assert [one.filename for one in outputs.list()] == [name]


def test_a_file_that_is_replaced_is_not_read_on(outputs: Outputs) -> None:
    """Whoever was told its size is cut off rather than given a part of another."""
    name = outputs.save(an_ended())
    file = outputs.find(name)
    outputs.save(an_ended(input="another"))
    with pytest.raises(FileNotFoundError):
        list(file.read(0, file.size))


def test_executions_that_end_together_have_a_file_each(outputs: Outputs) -> None:
    """B4: 200 of one pipeline in one second, from eight threads."""
    executions = [an_ended(f"exec_1_{number}") for number in range(200)]

    def save(part: int) -> None:
        for execution in executions[part::8]:
            outputs.save(execution)

    threads = [threading.Thread(target=save, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [json.loads(whole(outputs, one.filename)) for one in outputs.list()]
    assert {one["executionId"] for one in found} == {one.id for one in executions}


def test_saved_again_an_execution_has_one_file(outputs: Outputs) -> None:
    """The newer content takes the place of the older one."""
    first = outputs.save(an_ended())
    second = outputs.save(an_ended(input="better"))
    assert first == second
    assert json.loads(whole(outputs, first))["input"] == {"prompt": "better"}
    assert len(outputs.list()) == 1


@pytest.mark.parametrize("id", ["../up", "a/b", "a b", "ü", "x" * 300, "a\n"])
def test_a_pipeline_id_that_makes_no_safe_name_is_refused(outputs: Outputs, id: str) -> None:
    """No pipeline file has such an id; nothing is written."""
    with pytest.raises(InvalidInput):
        outputs.save(an_ended(pipeline_id=id))
    assert not outputs.folder.exists()


@pytest.mark.parametrize("id", ["exec_1/..", "exec_1-2", "exec_ü", "1", "", "x" * 300])
def test_an_execution_id_that_makes_no_safe_name_is_refused(outputs: Outputs, id: str) -> None:
    """Nor one by which the file could not be found again."""
    with pytest.raises(InvalidInput):
        outputs.save(an_ended(id))
    assert not outputs.folder.exists()


@given(
    from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True),
    from_regex(r"exec_[0-9]{13}_[0-9a-z]{8}", fullmatch=True),
)
def test_a_name_says_whose_file_it_is(pipeline: str, id: str) -> None:
    """Whatever the pipeline is called; and it is one that is served, and fits a disk."""
    name = result_name(an_ended(id, pipeline_id=pipeline))
    assert NAME.fullmatch(name) and len(f".{name}.tmp") <= 255
    assert owner_of(name) == id


def test_a_file_goes_with_its_execution(outputs: Outputs) -> None:
    """Whatever its pipeline is called; nothing else goes, and the file does not come back."""
    pipelines = {"exec_1_a": "demo", "exec_1_b": "exec_1_a", "exec_1_c": "1_a", "exec_11_a": "demo"}
    names = {id: outputs.save(an_ended(id, pipeline_id=name)) for id, name in pipelines.items()}
    old = outputs.folder / "result-old-2020-01-01T00-00-00.json"
    old.write_text(json.dumps(OLD))
    outputs.remove(["exec_1_a", "exec_1_b", "exec_1_nobody"])
    left = {names["exec_1_c"], names["exec_11_a"], old.name}
    assert {path.name for path in outputs.folder.iterdir()} == left
    outputs.save(an_ended("exec_1_a"))
    assert {path.name for path in outputs.folder.iterdir()} == left


def test_a_file_goes_while_it_is_written(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record may be one too many as soon as it is there."""
    outputs.save(an_ended("exec_1_b"))
    flushing = os.fsync

    def removed_meanwhile(descriptor: int) -> None:
        flushing(descriptor)
        outputs.remove(["exec_1_a"])

    monkeypatch.setattr(os, "fsync", removed_meanwhile)
    outputs.save(an_ended("exec_1_a"))
    assert [owner_of(path.name) for path in outputs.folder.iterdir()] == ["exec_1_b"]


def test_there_is_nothing_to_remove(outputs: Outputs) -> None:
    """Before the first file was written."""
    outputs.remove(["exec_1_a"])
    assert not outputs.folder.exists()


def test_the_list_is_newest_first(outputs: Outputs) -> None:
    """By the time of the end, whatever the order of writing."""
    for number in (2, 3, 1):
        outputs.save(an_ended(f"exec_1_{number}", ended_at=ENDED_AT + number))
    ids = [json.loads(whole(outputs, one.filename))["executionId"] for one in outputs.list()]
    assert ids == ["exec_1_3", "exec_1_2", "exec_1_1"]


def test_what_the_list_tells(outputs: Outputs) -> None:
    """The numbers come from the summary."""
    outputs.save(an_ended())
    (one,) = outputs.list()
    assert (one.pipeline_id, one.status, one.timestamp) == (
        "demo",
        "success",
        "2027-01-15T08:00:00.123Z",
    )
    assert (one.duration, one.cost) == (500, 0.25)
    assert (one.stages_run, one.stages_skipped, one.stages_failed) == (1, 1, 0)


def test_a_missing_folder_is_an_empty_list(outputs: Outputs) -> None:
    """And nothing can be read from it."""
    assert outputs.list() == []
    with pytest.raises(NotFound):
        whole(outputs, "result-a.json")


OLD = {"pipelineId": "old", "status": "success", "timestamp": "2020-01-01T00:00:00.000Z"}


def test_files_of_the_old_server_are_listed(outputs: Outputs) -> None:
    """They have no execution id; numbers that are no numbers are left out."""
    outputs.folder.mkdir()
    content = OLD | {"summary": {"totalDuration": 7, "totalCost": "much", "stagesRun": True}}
    (outputs.folder / "result-old-2020-01-01T00-00-00.json").write_text(json.dumps(content))
    (one,) = outputs.list()
    assert (one.pipeline_id, one.duration, one.cost, one.stages_run) == ("old", 7, None, None)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "{}", '{"pipelineId": 1}', "\0"])
def test_what_cannot_be_read_is_left_out_of_the_list(outputs: Outputs, content: str) -> None:
    """And the others are there."""
    name = outputs.save(an_ended())
    (outputs.folder / "result-broken.json").write_text(content)
    assert [one.filename for one in outputs.list()] == [name]


def test_other_files_are_none_of_ours(outputs: Outputs, tmp_path: Path) -> None:
    """B16: neither the history, nor what is unfinished, nor folders, links and pipes."""
    outputs.folder.mkdir()
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(OLD))
    (outputs.folder / "execution-history.json").write_text("[]")
    (outputs.folder / ".result-a.json.tmp").write_text(json.dumps(OLD))
    (outputs.folder / "result-folder.json").mkdir()
    (outputs.folder / "result-link.json").symlink_to(secret)
    (outputs.folder / "result-gone.json").symlink_to(tmp_path / "nothing")
    os.mkfifo(outputs.folder / "result-pipe.json")
    assert outputs.list() == []
    for path in outputs.folder.iterdir():
        with pytest.raises(NotFound):
            whole(outputs, path.name)


def test_a_link_to_a_result_is_no_further_result(outputs: Outputs) -> None:
    """It is neither listed twice nor counted."""
    name = outputs.save(an_ended())
    (outputs.folder / "result-alias.json").symlink_to(outputs.folder / name)
    assert [one.filename for one in outputs.list()] == [name]


@pytest.mark.parametrize(
    "name",
    [
        "../secret.json",
        "..%2fsecret.json",
        "/etc/passwd",
        "result-/../../secret.json",
        "result-..\\secret.json",
        "result-a.json\n",
        "result-a.json\0",
        "result-ü.json",
        "result-.json",
        "RESULT-a.json",
        "result-" + "a" * 1000 + ".json",
        "",
        "..",
    ],
)
def test_no_name_leads_out_of_the_folder(outputs: Outputs, name: str) -> None:
    """What is not the name of a result file is not looked for."""
    outputs.folder.mkdir()
    (outputs.folder.parent / "secret.json").write_text("{}")
    with pytest.raises(NotFound):
        whole(outputs, name)


def test_a_file_that_has_not_changed_is_not_read_again(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is new or another one is parsed."""
    read: list[str] = []
    reading = Outputs.find

    def counting(self: Outputs, filename: str) -> ResultFile:
        read.append(filename)
        return reading(self, filename)

    monkeypatch.setattr(Outputs, "find", counting)
    first, second = (outputs.save(an_ended(f"exec_1_{one}")) for one in "ab")
    assert len(outputs.list()) == len(outputs.list()) == 2
    assert sorted(read) == [first, second]
    outputs.save(an_ended("exec_1_a", input="a longer input"))
    assert len(outputs.list()) == 2
    assert sorted(read) == [first, first, second]


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    """The oldest go; what is none of ours stays."""
    outputs = Outputs(tmp_path, max_files=3)
    (tmp_path / "notes.txt").write_text("mine")
    for number in range(5):
        name = outputs.save(an_ended(f"exec_1_{number}", ended_at=ENDED_AT + number))
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    kept = [json.loads(whole(outputs, one.filename))["executionId"] for one in outputs.list()]
    assert kept == ["exec_1_4", "exec_1_3", "exec_1_2"]
    assert (tmp_path / "notes.txt").exists()


def test_files_that_were_there_before_count_too(tmp_path: Path) -> None:
    """A restart, or a folder of the old server's, does not move the bound."""
    for number in range(60):
        Outputs(tmp_path).save(an_ended(f"exec_1_{number}"))
    outputs = Outputs(tmp_path, max_files=40)
    for number in range(100, 200):
        name = outputs.save(an_ended(f"exec_1_{number}"))
        assert 38 <= len(outputs.list()) <= 40
        assert (tmp_path / name).exists()


def test_what_a_crash_has_left_goes_at_the_next_start(tmp_path: Path) -> None:
    """An unfinished file, whenever the wall clock says that it was written; nothing else."""
    Outputs(tmp_path / "none").remove_leftovers()
    outputs = Outputs(tmp_path)
    name = outputs.save(an_ended())
    old, recent = tmp_path / ".result-a.json.tmp", tmp_path / ".result-b.json.tmp"
    other = tmp_path / ".notes.tmp"
    for path in (old, recent, other):
        path.write_text("{")
    os.utime(old, (1000, 1000))
    outputs.remove_leftovers()
    assert {path.name for path in tmp_path.iterdir()} == {name, other.name}


DAY = 86_400 * 10**9


@pytest.mark.parametrize("jumps", [(-DAY, 0, 0), (365 * DAY, -365 * DAY, 0), (0, -365 * DAY, DAY)])
def test_the_newest_stay_when_the_wall_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jumps: tuple[int, ...]
) -> None:
    """There or back, while the server runs or between two."""
    wall = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: wall)
    before, number = Outputs(tmp_path, max_files=20), 0
    for jump in (0, *jumps):
        wall += jump
        after = Outputs(tmp_path, max_files=20)
        for outputs in (before, after):
            for _ in range(15):
                number += 1
                outputs.save(an_ended(f"exec_1_{number}"))
            ids = [
                json.loads(whole(outputs, one.filename))["executionId"] for one in outputs.list()
            ]
            left = {int(id.removeprefix("exec_1_")) for id in ids}
            assert left == set(range(number - len(left) + 1, number + 1))
        before = after
    assert len(left) in (19, 20)


def test_a_file_is_newer_than_all_that_were_there(tmp_path: Path) -> None:
    """Also than one that was written while the wall clock was a day ahead."""
    ahead = time.time_ns() + DAY
    name = Outputs(tmp_path).save(an_ended("exec_1_1"))
    os.utime(tmp_path / name, ns=(ahead, ahead))
    latest = Outputs(tmp_path).save(an_ended("exec_1_2"))
    assert (tmp_path / latest).stat().st_mtime_ns > ahead


def test_a_write_that_fails_leaves_what_was_there(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or not at all: the disk is full at the last moment."""
    name = outputs.save(an_ended())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        outputs.save(an_ended(input="better"))
    assert json.loads(whole(outputs, name))["input"] == {"prompt": "hello"}
    assert [path.name for path in outputs.folder.iterdir()] == [name]
