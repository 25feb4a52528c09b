"""What a stage has made reaches the next one whole, however large it is, or the stage fails."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from real_runs import FOLDER, MODEL, Runs, real_runs
from runcast.core.execution.model import StageStatus, Status
from runcast.core.execution.stored import StoredValue
from runcast.core.results.files import SHARED_INLINE_BYTES

sys.path.append(str(FOLDER))
from large_steps import text_of

pytestmark = pytest.mark.usefixtures("leaves_no_task")

INLINE = 256 * 1024
RARE_LARGE = pytest.param(1_800_000, marks=pytest.mark.campaign)
"""The everyday suite hands so much to commands and functions; a campaign, to all the rest."""
SIZES = [1_800_000, INLINE - 1, INLINE, INLINE + 1]
ECHO = {"id": "big", "command": ["cat"]}
MD5 = {"id": "end", "command": ["sh", "-c", "md5sum | cut -d' ' -f1"]}


@pytest.fixture
async def runs(tmp_path: Path, leaves_no_task: None) -> AsyncIterator[Runs]:
    async with real_runs(tmp_path / "data") as runs:
        yield runs


def a_call(name: str, id: str = "end", **keys: Any) -> dict[str, Any]:
    return {"id": id, "call": f"large_steps:{name}", **keys}


def prints(size: int) -> dict[str, Any]:
    """A command that prints so many bytes."""
    code = f"import sys; from large_steps import text_of; sys.stdout.write(text_of({size}))"
    return {"id": "big", "command": [sys.executable, "-c", code]}


def makers(size: int) -> dict[str, list[dict[str, Any]]]:
    """Stages of every kind, the last of which makes a text of that size."""
    size_ = {"id": "size", "command": ["echo", str(size)], "output": {"format": "json"}}
    return {
        "command": [prints(size)],
        "sync function": [size_, a_call("makes", "big")],
        "async function": [size_, a_call("makes_async", "big")],
    }


def a_prompt(template: str) -> dict[str, Any]:
    """Asks a model that answers with the question."""
    return {"id": "end", "model": MODEL, "prompt": {"template": template}, "retryCount": 0}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["command", "sync function", "async function"])
async def test_a_text_of_any_size_is_handed_to_a_command(runs: Runs, kind: str, size: int) -> None:
    """On its stdin, to the byte."""
    execution = await runs.run(*makers(size)[kind], MD5)
    assert execution.status is Status.COMPLETED, execution.error
    assert execution.output == md5(text_of(size))
    value = execution.stages[-2].value
    assert isinstance(value, StoredValue) is (size > INLINE)
    if isinstance(value, StoredValue):
        assert (value.size, value.is_json) == (size, False)
        assert value.sha256 == hashlib.sha256(text_of(size).encode()).hexdigest()
    assert await runs.value(execution, "big") == text_of(size)


@pytest.mark.parametrize("size", [INLINE + 1, 1_800_000])
@pytest.mark.parametrize(
    "sink", ["measures", "measures_async", "measures_outputs", "measures_outputs_async"]
)
@pytest.mark.parametrize("kind", ["command", "async function"])
async def test_a_text_of_any_size_is_handed_to_a_function(
    runs: Runs, kind: str, sink: str, size: int
) -> None:
    """As its input or among `context.outputs`, sync or async."""
    stages = makers(size)[kind][-1:]
    input = str(size)
    if kind == "async function":
        stages[0] = stages[0] | {"call": "large_steps:makes_of_text"}
    execution = await runs.run(*stages, a_call(sink), input=input)
    assert execution.status is Status.COMPLETED, execution.error
    assert execution.output == {"md5": md5(text_of(size)), "size": size, "is": "str"}


@pytest.mark.parametrize("size", [300_000, RARE_LARGE])
@pytest.mark.parametrize("template", ["{{big}}", "<{{ big }}>", "{{prompt}} {{big}}{{big}}"])
async def test_a_text_of_any_size_is_put_into_a_template(
    runs: Runs, template: str, size: int
) -> None:
    """Of what a command, a function or a model is given."""
    whole = template.replace("{{prompt}}", "hello")
    whole = whole.replace("{{big}}", text_of(size)).replace("{{ big }}", text_of(size))
    to_command = await runs.run(prints(size), MD5 | {"input": template})
    assert to_command.output == md5(whole)
    to_function = await runs.run(prints(size), a_call("measures", input=template))
    assert to_function.output == {"md5": md5(whole), "size": len(whole.encode()), "is": "str"}
    asked = await runs.run(prints(size), a_prompt(template) | {"output": {"format": "text"}})
    assert asked.status is Status.COMPLETED, asked.error
    answer = await runs.value(asked, "end")
    assert answer["content"] == whole.strip()


@pytest.mark.parametrize("size", [1000, 300_000, RARE_LARGE])
@pytest.mark.parametrize(
    ("condition", "runs_it"),
    [
        ({"path": "end", "equals": True}, True),
        ({"path": "text", "contains": "{last}"}, True),
        ({"path": "text", "contains": "not in there"}, False),
        ({"path": "missing", "exists": True}, False),
    ],
)
async def test_a_condition_sees_all_of_a_large_value(
    runs: Runs, condition: dict[str, Any], runs_it: bool, size: int
) -> None:
    """Whether a stage runs, and whether the execution ends early."""
    if condition.get("contains") == "{last}":
        condition = condition | {"contains": text_of(size)[-12:]}
    big = a_call("makes_json_of_text", "big")
    if_it = {"conditions": {"runIf": {"condition": condition, "sourceStage": "big"}}}
    execution = await runs.run(big, a_call("measures") | if_it, input=str(size))
    assert execution.status is Status.COMPLETED, execution.error
    assert execution.stages[1].status is (StageStatus.COMPLETED if runs_it else StageStatus.SKIPPED)
    early = big | {"conditions": {"earlyExit": {"condition": condition}}}
    execution = await runs.run(early, a_call("measures"), input=str(size))
    assert execution.end_reason == ("EARLY_EXIT" if runs_it else "FINISHED")


@pytest.mark.parametrize("size", [INLINE - 22, INLINE - 21, INLINE - 20, 300_000, RARE_LARGE])
@pytest.mark.parametrize("kind", ["sync function", "async function", "parsed"])
async def test_json_of_any_size_is_handed_on(runs: Runs, kind: str, size: int) -> None:
    """As JSON, to functions and commands alike; a file is only where it is kept."""
    name = "makes_json_of_text" if kind == "sync function" else "makes_json_of_text_async"
    big: dict[str, Any] = a_call(name, "big")
    if kind == "parsed":
        code = (
            "import json, sys; from large_steps import makes_json; "
            f"print(json.dumps(makes_json({size})))"
        )
        big = {"id": "big", "command": [sys.executable, "-c", code], "output": {"format": "json"}}
    whole = {"text": text_of(size), "end": True}
    for sink in ("measures", "measures_async", "measures_outputs"):
        execution = await runs.run(big, a_call(sink), input=str(size))
        assert execution.status is Status.COMPLETED, execution.error
        assert execution.output == {"md5": md5(whole["text"]), "size": size, "is": "dict"}
    code = "import json, sys; from large_steps import measures as m; print(m(json.load(sys.stdin)))"
    command = {"id": "end", "command": [sys.executable, "-c", code]}
    execution = await runs.run(big, command, input=str(size))
    assert execution.output == str({"md5": md5(whole["text"]), "size": size, "is": "dict"})
    encoded = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    value = execution.stages[0].value
    assert isinstance(value, StoredValue) is (len(encoded) > INLINE)
    if isinstance(value, StoredValue):
        assert (value.size, value.is_json) == (len(encoded), True)
    assert await runs.value(execution, "big") == whole


@pytest.mark.parametrize("size", [INLINE, 300_000, 1_000_000])
async def test_a_large_input_is_seen_whole_by_all(runs: Runs, size: int, tmp_path: Path) -> None:
    """By the first stage, by templates, and as `context.pipeline_input`."""
    spool = runs.files.spool("exec_9", "input", 1, 1 << 21)
    spool.write(text_of(size).encode())
    stored = spool.finish()
    input = stored if isinstance(stored, StoredValue) else stored.decode()
    same = {"md5": md5(text_of(size)), "size": size, "is": "str"}
    assert (await runs.run(MD5, input=input)).output == same["md5"]
    for name in ("measures", "measures_async", "measures_the_start"):
        assert (await runs.run(a_call(name), input=input)).output == same
    template = {"input": "{{prompt}}"}
    other = {"id": "other", "command": ["true"]}
    assert (await runs.run(other, a_call("measures") | template, input=input)).output == same
    asked = await runs.run(a_prompt("{{prompt}}") | {"output": {"format": "text"}}, input=input)
    assert (await runs.value(asked, "end"))["content"] == text_of(size)


async def test_what_is_no_text_is_handed_on_to_the_byte(runs: Runs) -> None:
    """From command to command, where it is large; who wants text gets replacements."""
    big = {"id": "big", "command": ["sh", "-c", "head -c 400000 /dev/zero | tr '\\0' '\\377'"]}
    execution = await runs.run(big, {"id": "end", "command": ["sh", "-c", "md5sum | head -c 32"]})
    assert execution.output == hashlib.md5(b"\xff" * 400_000).hexdigest()
    execution = await runs.run(big, a_call("measures"))
    assert execution.output == {
        "md5": md5("\ufffd" * 400_000), "size": 1_200_000, "is": "str"
    }  # fmt: skip


async def test_a_value_of_a_failed_attempt_is_not_that_of_the_next(
    runs: Runs, tmp_path: Path
) -> None:
    """Each attempt has its own, and what has failed has none."""
    script = """
        head -c 300000 /dev/zero | tr '\\0' "$RUNCAST_ATTEMPT"
        [ "$RUNCAST_ATTEMPT" = 3 ]
    """
    big = {"id": "big", "command": ["sh", "-c", script], "retryCount": 2, "retryDelayMs": 1}
    execution = await runs.run(big, MD5)
    assert execution.output == md5("3" * 300_000)
    assert await runs.log(execution, "big", 2) == "2" * 300_000 + (
        "attempt 2 of 3 failed: ExitStatus: exit status 1\nattempt 3 begins in 0.002 s\n"
    )
    values = [path for path in (tmp_path / "data" / "values").rglob("*") if path.is_file()]
    assert [path.stat().st_size for path in values] == [300_000]


async def test_no_value_is_read_that_nobody_asks_for(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command is given the file: the server's memory has no part of it, however large it is."""
    read: list[str] = []
    monkeypatch.setattr(runs.files, "read", lambda value, *part: read.append(value.name))
    execution = await runs.run(prints(1_800_000), ECHO | {"id": "copy"}, MD5)
    assert execution.output == md5(text_of(1_800_000))
    assert read == []


# The limit


def limited(stage: dict[str, Any], limit: int) -> dict[str, Any]:
    return stage | {"maxOutputBytes": limit, "retryCount": 2, "retryDelayMs": 1}


EXACT = {
    "command": (prints(1000), 1000),
    "large command": (prints(400_000), 400_000),
    "text": (a_call("makes_of_text", "big"), 1000),
    "large text": (a_call("makes_of_text", "big"), 400_000),
    "async text": (a_call("makes_of_text_async", "big"), 1000),
    "JSON": (a_call("makes_list_of_text", "big"), 1004),
    "large JSON": (a_call("makes_list_of_text", "big"), 400_004),
    "async JSON": (a_call("makes_list_of_text_async", "big"), 1004),
    # Its value is `{"content": …}`, and both that and the answer have to fit.
    "prompt": (a_prompt("{{prompt}}" + "x" * 996) | {"id": "big"}, 1014),
    "large prompt": (a_prompt("{{prompt}}" + "x" * 399_994) | {"id": "big"}, 400_014),
}
INPUTS = dict.fromkeys(("large text", "large JSON", "large prompt"), "400000")


@pytest.mark.parametrize("kind", EXACT)
async def test_a_value_may_be_as_large_as_its_limit(runs: Runs, kind: str) -> None:
    """To the byte, and not a byte more; with more, nothing is handed on or tried again."""
    stage, size = EXACT[kind]
    input = INPUTS.get(kind, "1000")
    fits = await runs.run(limited(stage, size), input=input)
    assert fits.status is Status.COMPLETED, fits.error
    over = await runs.run(limited(stage, size - 1), MD5, input=input)
    assert over.status is Status.FAILED
    assert over.error is not None and over.error.type == "OutputTooLarge"
    assert f"{size - 1:,}" in over.error.message and "maxOutputBytes" in over.error.message
    assert [one.status for one in over.stages] == [StageStatus.FAILED, StageStatus.PENDING]
    assert (over.stages[0].attempt, over.stages[0].value) == (1, None)


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_what_is_read_from_a_value_may_be_as_large_as_its_limit(
    runs: Runs, size: int
) -> None:
    """It can be larger than what was written: the same may be extracted twice."""
    twice = [{"name": name, "path": "text"} for name in ("a", "b")]
    code = (
        f"import json; from large_steps import text_of; print(json.dumps({{'text': 'x' * {size}}}))"
    )
    stage = {
        "id": "big",
        "command": [sys.executable, "-c", code],
        "output": {"format": "json", "extract": twice},
    }
    whole = {"a": "x" * size, "b": "x" * size}
    most = len(json.dumps(whole, separators=(",", ":")))
    fits = await runs.run(limited(stage, most))
    assert fits.status is Status.COMPLETED, fits.error
    assert await runs.value(fits, "big") == whole
    over = await runs.run(limited(stage, most - 1), MD5)
    assert over.error is not None and over.error.type == "OutputTooLarge"
    assert (over.stages[0].status, over.stages[1].status) == ("FAILED", "PENDING")


@pytest.mark.parametrize("kind", ["command", "sync function", "async function"])
async def test_values_are_in_files_sooner_where_they_are_sent(tmp_path: Path, kind: str) -> None:
    """In a folder that processes share; they are handed on whole all the same."""
    size = SHARED_INLINE_BYTES + 1
    async with real_runs(tmp_path / "data", tmp_path / "shared") as runs:
        execution = await runs.run(*makers(size)[kind], MD5)
        assert execution.status is Status.COMPLETED, execution.error
        stage = execution.stages[-2]
        assert isinstance(stage.value, StoredValue) and not stage.log.of_value
        assert text_of(size) in await runs.log(execution, stage.id)
        assert await runs.value(execution, "end") == md5(text_of(size))


# Folders


async def test_stages_of_an_execution_share_a_folder(runs: Runs, tmp_path: Path) -> None:
    """Commands, functions, and those that run in it; it is nobody else's."""
    execution = await runs.run(
        a_call("writes", "one", input="from a function"),
        {"id": "two", "command": ["sh", "-c", 'cat; echo; cat "$RUNCAST_WORKDIR/data.txt"']},
        {"id": "three", "command": ["sh", "-c", "cat data.txt; pwd"], "cwd": "workdir"},
        {"id": "four", "command": ["sh", "-c", "echo changed > data.txt"], "cwd": "workdir"},
        a_call("reads", "five"),
    )
    assert execution.status is Status.COMPLETED, execution.error
    folder = str(tmp_path / "data" / "work" / execution.id)
    values = [one.value for one in execution.stages]
    assert values[:3] == [folder, f"{folder}\nfrom a function", f"from a function{folder}"]
    assert values[4] == "changed\n"


async def test_executions_do_not_meet_in_their_folders(runs: Runs) -> None:
    """Although each writes data.txt before the other one reads it."""

    def stages(words: str) -> list[dict[str, Any]]:
        waits = (
            'touch "../ready.$0"; while [ "$(ls .. | grep -c ready)" -lt 2 ]; do sleep 0.02; done'
        )
        return [
            a_call("writes", "one", input=words),
            {"id": "two", "command": ["sh", "-c", waits, words], "cwd": "workdir"},
            a_call("reads", "three"),
        ]

    both = await asyncio.gather(*(runs.run(*stages(words)) for words in ("ann", "bob")))
    assert [one.output for one in both] == ["ann", "bob"]
