"""What a file with the right keys and values says that cannot work, or is probably not meant."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from runcast.core.pipelines.content import MAX_FILE_BYTES
from runcast.core.pipelines.pipeline_file import PipelineFileError, load
from runcast.core.pipelines.problem import Severity

HEAD = {"id": "p", "name": "P"}
COMMAND = {"command": ["cat"]}
MODEL = {"providerID": "anthropic", "modelID": "m"}
JSON_OUTPUT = {"format": "json", "extract": [{"name": "rows", "path": "a.rows"}]}


def found(path: Path, *stages: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The errors and the warnings of a file with those stages, without the file's name."""
    path.write_text(json.dumps({"pipeline": HEAD, "stages": stages}))
    try:
        problems = load(path).warnings
    except PipelineFileError as error:
        problems = error.problems
    return tuple(
        [problem.described for problem in problems if problem.severity is severity]
        for severity in (Severity.ERROR, Severity.WARNING)
    )  # type: ignore[return-value]  # two of them


def prompt(id: str, template: str, *variables: dict[str, Any], **keys: Any) -> dict[str, Any]:
    asked = {"template": template, "variables": variables, **keys}
    return {"id": id, "model": MODEL, "prompt": asked}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.json"


@pytest.mark.parametrize(
    "name",
    [
        "prompt",
        " prompt\t",
        "input.prompt",
        "input_prompt",
        "text",
        "words.parsed.any.thing.0",
        "rows.rows",
        "rows.rows.0.name",
        "asked",
        "asked.content",
        "a.b",
        "a.b.c",
        "made",
        "made.by.a.function",
    ],
)
def test_what_a_name_can_mean(path: Path, name: str) -> None:
    """The input, an earlier stage, and what may be in the value of one that has parts."""
    stages = [
        {"id": "text", **COMMAND},
        {"id": "words.parsed", **COMMAND, "output": {"format": "json"}},
        {"id": "rows", **COMMAND, "output": JSON_OUTPUT},
        prompt("asked", "x"),
        {"id": "a.b", "call": "os:getpid"},
        {"id": "made", "call": "os:getpid"},
    ]
    last = {"id": "last", **COMMAND, "input": f"a {{{{{name}}}}} b"}
    assert found(path, *stages, last) == ([], [])
    assert found(path, *stages, prompt("last", f"{{{{{name}}}}}")) == ([], [])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("promt", "`{{promt}}` names nothing; did you mean `prompt`?"),
        ("input.promt", "`{{input.promt}}` names nothing; did you mean `input.prompt`?"),
        ("input", "`{{input}}` names nothing; did you mean `prompt`?"),
        ("Prompt", "`{{Prompt}}` names nothing; did you mean `prompt`?"),
        ("prompt.text", "`{{prompt.text}}` names nothing; did you mean `prompt`?"),
        ("frist", "`{{frist}}` names nothing; did you mean `first`?"),
        ("xyz.abc", "`{{xyz.abc}}` names nothing"),
        (" ", "`{{}}` names nothing"),
        ("here", "`{{here}}` names the stage itself"),
        ("here.rows", "`{{here.rows}}` names the stage itself"),
        ("late", "`{{late}}` names `late`, which does not run before this stage"),
        ("late.x", "`{{late.x}}` names `late`, which does not run before this stage"),
        (
            "first.rows",
            "`{{first.rows}}` names nothing: `first` hands over text: it needs an `output` "
            "to have parts",
        ),
        (
            "second.row",
            "`{{second.row}}` names nothing: `second` does not extract `row`; did you mean `rows`?",
        ),
    ],
)
def test_a_name_that_never_means_anything(path: Path, name: str, message: str) -> None:
    """A misspelled one, a stage that runs later, the stage itself, a part that nothing has."""
    before = [{"id": "first", **COMMAND}, {"id": "second", **COMMAND, "output": JSON_OUTPUT}]
    late = {"id": "late", **COMMAND}
    template = f"{{{{prompt}}}} {{{{{name}}}}} {{{{ {name} }}}}"
    for here, place in (
        ({"id": "here", **COMMAND, "input": template}, "stages[2].input"),
        (prompt("here", template), "stages[2].prompt.template"),
    ):
        assert found(path, *before, here, late) == ([f"{place}: {message}"], [])


def test_text_that_is_no_placeholder(path: Path) -> None:
    """Single braces, empty ones and those that are not closed stay as they are."""
    template = "{promt} {{}} {{promt} {{{}}} {{\u007b}}"
    assert found(path, {"id": "one", **COMMAND, "input": template}) == ([], [])


def test_variables_belong_to_the_prompt_only(path: Path) -> None:
    """The `input` of a prompt stage is rendered before its variables have values."""
    variable = {"name": "who", "source": "static", "value": "you"}
    assert found(path, prompt("one", "{{who}}", variable)) == ([], [])
    errors, _ = found(path, prompt("one", "{{who}}", variable) | {"input": "{{who}}"})
    assert errors == ["stages[0].input: `{{who}}` names nothing"]


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (
            {"source": "input"},
            "names nothing: the only `path` of an input is `prompt`, not `v`",
        ),
        (
            {"source": "input", "path": "prompt.x"},
            "names nothing: the only `path` of an input is `prompt`, not `prompt.x`",
        ),
        ({"source": "context", "path": "frist"}, "names nothing; did you mean `first`?"),
        ({"source": "context", "path": "prompt"}, "names nothing"),
        ({"source": "context", "path": "here.x"}, "names the stage itself"),
        (
            {"source": "context", "path": "late"},
            "names `late`, which does not run before this stage",
        ),
        (
            {"source": "previousStage", "stageId": "first", "path": "x"},
            "names nothing: `first` hands over text: it needs an `output` to have parts",
        ),
    ],
)
def test_a_variable_without_a_value(path: Path, variable: dict[str, Any], message: str) -> None:
    """It fails its stage; one that is not required is always empty, which may be meant."""
    late = {"id": "late", **COMMAND}
    for required in (True, False):
        here = prompt("here", "{{v}}", {"name": "v", "required": required, **variable})
        errors, warnings = found(path, {"id": "first", **COMMAND}, here, late)
        told = f"stages[1].prompt.variables[0]: `v` never has a value: it {message}"
        assert errors == ([told] if required else [])
        assert warnings == ([] if required else [f"warning: {told}"])


@pytest.mark.parametrize(
    "variable",
    [
        {"source": "input", "path": "prompt"},
        {"source": "context", "path": "first"},
        {"source": "previousStage"},
        {"source": "previousStage", "path": "any"},
        {"source": "previousStage", "stageId": "first"},
        {"source": "static", "value": None},
        {"source": "static", "required": False},
    ],
)
def test_a_variable_that_can_have_a_value(path: Path, variable: dict[str, Any]) -> None:
    """Nothing is said of it."""
    here = prompt("here", "{{v}}", {"name": "v", **variable})
    assert found(path, {"id": "first", **COMMAND}, here) == ([], [])


def test_a_static_variable_without_a_value(path: Path) -> None:
    """It fails its stage unless it is not required."""
    errors, _ = found(path, prompt("one", "{{v}}", {"name": "v", "source": "static"}))
    assert errors == [
        "stages[0].prompt.variables[0]: `v` never has a value: it is static, and has no `value`"
    ]


@pytest.mark.parametrize("program", ["", " ", "\t\n"])
def test_an_empty_program(path: Path, program: str) -> None:
    """There is nothing of that name to be run."""
    errors, _ = found(path, {"id": "one", "command": [program, "x"]})
    assert errors == ["stages[0].command: the program must not be empty"]


@pytest.mark.parametrize("entry", ["A", "A=", "A=b=c", "_a9= x", "my-name=1", "a.b=\u00e4\n"])
def test_what_env_may_say(path: Path, entry: str) -> None:
    """A name, alone or with any value."""
    assert found(path, {"id": "one", **COMMAND, "env": [entry]}) == ([], [])


@pytest.mark.parametrize(
    "entry",
    ["", "=x", "A =x", " A", "$HOME", "A: s3cret", "9A=1", "A\n=1", "export A=1", "s3cret s3cret"],
)
def test_a_broken_env(path: Path, entry: str) -> None:
    """What has no name, or one that no program asks for. It is not told, it may be a secret."""
    errors, _ = found(path, {"id": "one", **COMMAND, "env": ["OK", entry]})
    told = "must be `NAME` or `NAME=value`; a name has letters, digits and `_`"
    assert errors == [f"stages[0].env[1]: {told}"]


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ({"id": "one", "command": ["echo", "-n", "{{prompt}}"]}, "command[2]"),
        ({"id": "one", "command": ["sh", "-c", "echo {{ x }} {{y}}"]}, "command[2]"),
        ({"id": "one", "command": ["{{program}}"]}, "command[0]"),
        ({"id": "one", **COMMAND, "env": ["A={{prompt}}"]}, "env[0]"),
        (prompt("one", "x", systemPrompt="You know {{prompt}}"), "prompt.systemPrompt"),
    ],
)
def test_a_placeholder_where_none_is_replaced(
    path: Path, stage: dict[str, Any], place: str
) -> None:
    """It is passed as it is, which may be meant: a warning."""
    errors, [warning] = found(path, stage)
    assert errors == []
    assert warning.startswith(f"warning: stages[0].{place}: `{{{{")
    assert warning.endswith(
        "}}` is passed as it is: only `input` and `prompt.template` are templates"
    )


def test_lines_and_order(tmp_path: Path) -> None:
    """Errors and warnings come together, in the order of the file, each with its line."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "pipeline: {id: p, name: P}\n"
        "stages:\n"
        "  - id: one\n"
        "    command:\n"
        "      - echo\n"
        "      - '{{prompt}}'\n"
        "    input: '{{promt}}'\n"
        "    env:\n"
        "      - A\n"
        "      - =x\n"
    )
    with pytest.raises(PipelineFileError) as caught:
        load(path)
    told = [(each.line, each.severity.value) for each in caught.value.problems]
    assert told == [(6, "WARNING"), (7, "ERROR"), (10, "ERROR")]
    assert str(caught.value.problems[0]).startswith(f"{path}:6: warning: stages[0].command[1]: ")


def test_an_error_behind_many_warnings(path: Path) -> None:
    """Not every one is told, but an error is one however far behind it is."""
    warned = {"id": "one", "command": ["echo", *["{{x}}"] * 200], "env": ["=", "="]}
    errors, warnings = found(path, warned)
    assert len(warnings) == 100
    assert errors == ["and 102 more problems"]


@pytest.mark.parametrize(
    "template",
    ["{{" + "a." * 60_000 + "}}", "".join(f"{{{{n{n}}}}}" for n in range(12_000)), "{" * 100_000],
)
def test_a_hostile_template(path: Path, template: str) -> None:
    """The largest file takes seconds at most, whatever is in it."""
    begun = time.process_time()
    found(path, {"id": "one", **COMMAND, "input": template})
    assert time.process_time() - begun < 10


def test_as_many_stages_as_a_file_can_have(path: Path) -> None:
    """Each with a template that names nothing."""
    stages = [{"id": f"s{n}", **COMMAND, "input": f"{{{{t{n}}}}}"} for n in range(2000)]
    assert len(json.dumps(stages)) < MAX_FILE_BYTES
    begun = time.process_time()
    errors, _ = found(path, *stages)
    assert len(errors) == 101
    assert time.process_time() - begun < 20


def test_the_line_of_what_is_checked_outside(tmp_path: Path) -> None:
    """A pipeline knows the lines of its programs, functions and folders."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "pipeline: {id: p, name: P}\nstages:\n"
        "  - id: one\n    command: [cat]\n    cwd: x\n  - id: two\n    call: os:getpid\n"
    )
    assert load(path).lines == {"stages[0].command": 4, "stages[0].cwd": 5, "stages[1].call": 7}
