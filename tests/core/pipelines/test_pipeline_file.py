"""Reading one pipeline file: what loads, and how what does not is told."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from ruamel.yaml import YAML
from runcast.core.pipelines.pipeline_file import PipelineFileError, load
from runcast.core.pipelines.problem import Problem

VALID = """\
pipeline:
  id: words
  name: Words
  version: 1.0.0
stages:
  - id: count
    command: [wc, -w]
    timeoutMs: 5000
  - id: shout
    call: "my.words:shout"
"""
NO_KIND = (
    "a stage needs `command` (a list), or `call` (package.module:function), or `model` and `prompt`"
)
CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(VALID)


def problems_of(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(PipelineFileError) as caught:
        load(path)
    return caught.value.problems


def told(path: Path, text: str | bytes) -> list[str]:
    """The problems of a file with that content, without the folder."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in problems_of(path)]


@pytest.mark.parametrize("name", ["p.yaml", "p.yml", "p.YAML", "p.json"])
def test_a_valid_file_loads(tmp_path: Path, name: str) -> None:
    """YAML and JSON say the same."""
    path = tmp_path / name
    path.write_text(json.dumps(CONTENT, indent="\t") if name.endswith("json") else VALID)
    pipeline = load(path)
    assert pipeline.id == "words"
    assert [stage.id for stage in pipeline.stages] == ["count", "shout"]
    assert pipeline.path == path


def test_the_source_is_as_it_was_written(tmp_path: Path) -> None:
    """No default is filled in, no number and no date is made of a text."""
    path = tmp_path / "p.yaml"
    path.write_text(VALID.replace("name: Words", "name: 2024-02-30 yes"))
    source = load(path).source
    assert source["pipeline"] == {"id": "words", "name": "2024-02-30 yes", "version": "1.0.0"}
    assert source["stages"] == CONTENT["stages"]
    assert type(source) is dict


def test_a_date_and_a_yes_are_text(tmp_path: Path) -> None:
    """YAML 1.2: only true and false are booleans, and a date is text."""
    path = tmp_path / "p.yaml"
    path.write_text(VALID.replace("name: Words", "name: 2024-02-03\n  description: yes"))
    pipeline = load(path)
    assert (pipeline.name, pipeline.description) == ("2024-02-03", "yes")


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """Some editors put one at the start of a file."""
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + VALID.encode())
    assert load(path).id == "words"


def test_a_key_is_suggested_wherever_it_stands(tmp_path: Path) -> None:
    """Also within keys whose names in the file are not those in the code."""
    text = (
        VALID
        + "    conditions:\n      earlyExit: {condition: {path: a}, returnStge: count}\n"
        + "    output: {formt: text}\n"
    )
    assert told(tmp_path / "p.yaml", text) == [
        "p.yaml:12: stages[1].conditions.earlyExit.returnStge: unknown key `returnStge`; "
        "did you mean `returnStage`?",
        "p.yaml:13: stages[1].output.formt: unknown key `formt`; did you mean `format`?",
    ]


def test_a_file_may_be_exactly_as_big_as_the_limit(tmp_path: Path) -> None:
    """What is in it is read to its last byte."""
    path = tmp_path / "p.yaml"
    path.write_text(VALID + "#".ljust((1 << 17) - len(VALID) - 1) + "\n")
    assert path.stat().st_size == 1 << 17
    assert load(path).id == "words"


def test_a_merge_key_takes_over_another_stage(tmp_path: Path) -> None:
    """`<<: *name` fills in what a mapping does not say itself."""
    path = tmp_path / "p.yaml"
    path.write_text(
        VALID.replace("- id: count", "- &count\n    id: count") + "  - {<<: *count, id: b}\n"
    )
    assert load(path).source["stages"][2] == CONTENT["stages"][0] | {"id": "b"}


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    """One reading is enough to put everything right."""
    text = """\
pipeline:
  id: my words
  version: 1.0
  settings: {maxConcurent: 2}
stages:
  - id: count
    command: [wc, 5]
    timeout: 5000
  - id: count
    call: shout
    retryCount: 9
  - id: nothing
  - just text
extra: 1
"""
    assert told(tmp_path / "p.yaml", text) == [
        "p.yaml:1: pipeline.name: is missing",
        "p.yaml:2: pipeline.id: must be letters, digits, `.`, `_` and `-`, "
        "with a letter or a digit first",
        "p.yaml:3: pipeline.version: must be text; put it in quotes",
        "p.yaml:4: pipeline.settings.maxConcurent: unknown key `maxConcurent`; "
        "did you mean `maxConcurrent`?",
        "p.yaml:7: stages[0].command[1]: must be text; put it in quotes",
        "p.yaml:8: stages[0].timeout: unknown key `timeout`; did you mean `timeoutMs`?",
        "p.yaml:9: stages[1].id: another stage has the same id",
        "p.yaml:10: stages[1].call: must be `package.module:function`",
        "p.yaml:11: stages[1].retryCount: must be at most 5",
        f"p.yaml:12: stages[2]: {NO_KIND}",
        f"p.yaml:13: stages[3]: {NO_KIND}",
        "p.yaml:14: extra: unknown key `extra`",
    ]


def test_problems_of_a_json_file_have_lines_too(tmp_path: Path) -> None:
    """Also where the file is indented with tabs, which YAML does not allow."""
    content = copy.deepcopy(CONTENT)
    content["stages"][1]["timeOutMs"] = 5
    text = json.dumps(content, indent="\t")
    line = text[: text.index("timeOutMs")].count("\n") + 1
    assert told(tmp_path / "p.json", text) == [
        f"p.json:{line}: stages[1].timeOutMs: unknown key `timeOutMs`; did you mean `timeoutMs`?"
    ]


def test_a_key_is_known_by_its_written_name_only(tmp_path: Path) -> None:
    """`timeout_ms` is the name in the code, not in a file."""
    [problem] = told(tmp_path / "p.yaml", VALID.replace("timeoutMs", "timeout_ms"))
    assert problem.endswith("unknown key `timeout_ms`; did you mean `timeoutMs`?")


def test_a_suggestion_fits_the_kind_of_stage(tmp_path: Path) -> None:
    """A python stage has no `env`, so nobody is sent there."""
    [problem] = told(tmp_path / "p.yaml", VALID + "    envs: [A]\n")
    assert problem.endswith("unknown key `envs`")


def test_problems_deep_inside_of_a_stage_have_their_place(tmp_path: Path) -> None:
    """Keys of nested parts are known, too, and what a stage refers to must be there."""
    stage = """\
  - id: ask
    model: {providerID: openai, modelId: m}
    prompt:
      template: "{{x}}"
      variables:
        - {name: x, source: previousStage, stageID: count}
    conditions:
      runIf: {condition: {path: a, greaterThan: much}}
"""
    assert told(tmp_path / "p.yaml", VALID + stage) == [
        "p.yaml:12: stages[2].model.modelID: is missing",
        "p.yaml:12: stages[2].model.modelId: unknown key `modelId`; did you mean `modelID`?",
        "p.yaml:16: stages[2].prompt.variables[0].stageID: unknown key `stageID`; "
        "did you mean `stageId`?",
        "p.yaml:18: stages[2].conditions.runIf.condition.greaterThan: must be a number",
    ]


@pytest.mark.parametrize(
    ("target", "problems"),
    [
        (
            "{providerID: openai, modelId: m, tier: huge}",
            [
                "targetModel.modelID: is missing",
                "targetModel.tier: must be 'small', 'medium' or 'large'",
                "targetModel.modelId: unknown key `modelId`; did you mean `modelID`?",
            ],
        ),
        ("5", ["targetModel: must be a mapping of keys to values"]),
        ("[m]", ["targetModel: must be a mapping of keys to values"]),
    ],
    ids=["keys", "number", "list"],
)
def test_problems_of_a_target_model_have_their_place(
    tmp_path: Path, target: str, problems: list[str]
) -> None:
    """It may be a text, too, and yet nobody is told that an object should have been one."""
    text = VALID.replace("stages:", f"  targetModel: {target}\nstages:")
    assert told(tmp_path / "p.yaml", text) == [f"p.yaml:5: pipeline.{one}" for one in problems]


def test_a_stage_that_is_referred_to_must_be_there(tmp_path: Path) -> None:
    """Each such place is told with its line."""
    condition = "condition: {path: a, exists: true}"
    text = VALID + (
        "    conditions:\n"
        f"      skipIf: {{sourceStage: cuont, {condition}}}\n"
        f"      runIf: {{sourceStage: shout, {condition}}}\n"
    )
    assert told(tmp_path / "p.yaml", text) == [
        'p.yaml:12: stages[1].conditions.skipIf.sourceStage: there is no stage "cuont"',
        "p.yaml:13: stages[1].conditions.runIf.sourceStage: "
        'stage "shout" does not run before this one',
    ]


@pytest.mark.parametrize("value", ['"\\ud800"', "[" * 260 + "]" * 260], ids=["surrogate", "deep"])
def test_what_no_client_could_be_sent_is_refused(tmp_path: Path, value: str) -> None:
    """Where anything may stand, it must still be possible to show it as JSON."""
    condition = f'{{"skipIf": {{"condition": {{"path": "a", "equals": {value}}}}}}}'
    text = json.dumps(CONTENT).replace('"id": "shout"', f'"id": "shout", "conditions": {condition}')
    [problem] = told(tmp_path / "p.json", text)
    assert problem.startswith("p.json: it cannot be written as JSON: ")


@pytest.mark.parametrize("value", [".nan", ".inf", "[1, -.inf]"])
def test_what_is_no_number_of_json_is_refused(tmp_path: Path, value: str) -> None:
    """YAML has it, and clients could only be shown null."""
    text = VALID + f"    conditions: {{skipIf: {{condition: {{path: a, equals: {value}}}}}}}\n"
    [problem] = told(tmp_path / "p.yaml", text)
    assert problem.startswith("p.yaml: it cannot be written as JSON: ")


@pytest.mark.parametrize("number", [2**70, -(10**400), -0.0, 1.0], ids=str)
def test_numbers_are_kept_as_they_are(tmp_path: Path, number: float) -> None:
    """However many digits they have."""
    text = VALID + f"    conditions: {{skipIf: {{condition: {{path: a, equals: {number}}}}}}}\n"
    path = tmp_path / "p.yaml"
    path.write_text(text)
    source = load(path).source
    assert repr(source["stages"][-1]["conditions"]["skipIf"]["condition"]["equals"]) == repr(number)


@pytest.mark.parametrize(
    ("keys", "line", "place"),
    [
        ('command: ["\\0"]', 7, "command[0]"),
        ('command: [echo, "a\\0b"]', 7, "command[1]"),
        ('command: [echo, a]\n    env:\n      - HOME\n      - "A=\\0"', 10, "env[1]"),
        ('command: [echo, a]\n    env: ["A\\0B"]', 8, "env[0]"),
        ('command: [echo, a]\n    cwd: "sub\\x00/dir"', 8, "cwd"),
    ],
)
def test_a_nul_is_found_before_anything_runs(
    tmp_path: Path, keys: str, line: int, place: str
) -> None:
    """It would end the argument there, or keep the program from being started."""
    text = VALID.replace("command: [wc, -w]", keys)
    where = f"p.yaml:{line}: stages[0].{place}"
    assert told(tmp_path / "p.yaml", text) == [f"{where}: must not have a NUL character in it"]
    json_text = json.dumps(YAML(typ="safe", pure=True).load(text))
    [problem] = told(tmp_path / "p.json", json_text)
    assert problem == f"p.json:1: stages[0].{place}: must not have a NUL character in it"


@pytest.mark.parametrize("name", ["p.yaml", "p.json"])
def test_a_key_given_twice_is_an_error(tmp_path: Path, name: str) -> None:
    """Neither of the two silently wins; each such key is told with its line."""
    text = '{"pipeline": {"id": "a",\n"id": "b"}, "stages": [],\n"stages": []}'
    assert told(tmp_path / name, text) == [
        f"{name}:2: pipeline.id: the key is there twice",
        f"{name}:3: stages: the key is there twice",
    ]


def test_a_key_given_twice_is_told_without_a_line_if_need_be(tmp_path: Path) -> None:
    """JSON may hold what YAML refuses; the problem is told all the same."""
    text = '{"pipeline": "\x7f\ufffe", "stages": [], "stages": []}'
    assert told(tmp_path / "p.json", text) == ["p.json: stages: the key is there twice"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP_ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1000))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.yaml", "", "p.yaml: a pipeline file is a mapping with `pipeline` and `stages`"),
        ("p.yaml", "- a\n- b\n", "p.yaml: a pipeline file is a mapping"),
        ("p.json", "[]", "p.json: a pipeline file is a mapping"),
        ("p.json", "", "p.json:1: not valid JSON: Expecting value"),
        ("p.json", '{"pipeline":\n NaN}', "p.json: not valid JSON: NaN is not a number of JSON"),
        ("p.json", '{"pipeline": ' + "9" * 5000 + "}", "p.json: not valid JSON: "),
        ("p.json", "[" * 100_000, "p.json: it is nested too deeply"),
        ("p.yaml", "pipeline: ]\n", "p.yaml:1: not valid YAML: "),
        ("p.yaml", "a: b\nc: \x07\n", "p.yaml: not valid YAML: "),
        ("p.yaml", "a: 1\n---\nb: 2\n", "p.yaml:2: not valid YAML: but found another document"),
        ("p.yaml", "a: *b\n", "p.yaml:1: not valid YAML: found undefined alias 'b'"),
        ("p.yaml", "a: !!int x\n", "p.yaml: not valid YAML: "),
        ("p.yaml", "a: " + "9" * 5000, "p.yaml: not valid YAML: "),
        ("p.yaml", 'a: "\\UFFFFFFFF"', "p.yaml: not valid YAML: "),
        ("p.yaml", "[" * 5000, "p.yaml: it is nested too deeply"),
        ("p.yaml", DEEP_ALIASES, "p.yaml: it is too big once its aliases"),
        ("p.yaml", BOMB, "p.yaml: it is too big once its aliases (`*name`) are written out"),
        ("p.yaml", "a: &a [*a]\n", "p.yaml:1: an alias (`*name`) refers to what it is part of"),
        ("p.yaml", "a: &a {<<: *a}\n", "p.yaml:1: an alias (`*name`) refers to what"),
        ("p.yaml", "a: 1\n2: b\n", "p.yaml:2: a key must be text; put it in quotes"),
        ("p.yaml", "a:\n  ? [b]\n  : c\n", "p.yaml:2: a: a key must be text; put it in quotes"),
        (
            "p.yaml",
            "a:\n  - !!binary aGk=\n",
            "p.yaml:2: a[0]: the tag `tag:yaml.org,2002:binary` is",
        ),
        (
            "p.yaml",
            "a: !!python/name:os.system\n",
            "p.yaml:1: a: the tag `tag:yaml.org,2002:python",
        ),
        ("p.yaml", VALID.encode("utf-16"), "p.yaml:1: it is not UTF-8 text"),
        ("p.yaml", b"a: b\nc: \xff\n", "p.yaml:2: it is not UTF-8 text"),
        ("p.yaml", b"#" * (1 << 17) + b"\n", "p.yaml: it is bigger than 131,072 bytes"),
        ("p.toml", "a = 1", "p.toml: a pipeline file ends with .yaml, .yml, .json"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_document_is_told(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    """A problem on one line for whatever a file may hold, within the limits of the machine."""
    [problem] = told(tmp_path / name, content)
    assert problem.startswith(message)
    assert len(problem) < 400
    assert problem.isprintable()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file is a problem, not a FileNotFoundError."""
    [problem] = problems_of(tmp_path / "p.yaml")
    assert problem.message == "it cannot be read: No such file or directory"


def test_a_folder_or_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """What is not a regular file is told at once."""
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("folder.yaml", "pipe.yaml"):
        [problem] = problems_of(tmp_path / name)
        assert problem.message == "it is not a regular file"


def test_an_impossible_path_is_told(tmp_path: Path) -> None:
    """Not even a name that no file can have raises something else."""
    assert problems_of(tmp_path / "a\0b.yaml")
    assert problems_of(tmp_path / ("n" * 5000 + ".yaml"))


def test_a_name_from_a_file_cannot_break_a_log_line(tmp_path: Path) -> None:
    """Line breaks, escapes and lone surrogates in keys are shown escaped, and shortened."""
    key = "a\nb\x1b[31m\ud800" + "c" * 500
    for extra in ({key: 1}, {"settings": {key: 1}}):
        content = CONTENT | {"pipeline": CONTENT["pipeline"] | extra}
        [problem] = told(tmp_path / "p.json", json.dumps(content))
        assert problem.isprintable()
        assert len(problem) < 400


def test_the_problems_are_counted_when_they_are_too_many(tmp_path: Path) -> None:
    """A hundred are told, and how many more there are."""
    stages = [{"id": f"s{n}"} for n in range(250)]
    problems = told(tmp_path / "p.json", json.dumps(CONTENT | {"stages": stages}))
    assert len(problems) == 101
    assert problems[-1] == "p.json: and 150 more problems"


def test_an_error_holds_all_of_its_problems(tmp_path: Path) -> None:
    """Its message is what a person needs, a line for each."""
    (tmp_path / "p.yaml").write_text("{}")
    with pytest.raises(PipelineFileError) as caught:
        load(tmp_path / "p.yaml")
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    assert [problem.place for problem in caught.value.problems] == ["pipeline", "stages"]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
KEYS = (
    st.sampled_from(
        ["command", "call", "env", "timeoutMs", "type", "cwd", "settings", "model", "conditions"]
    )
    | st.text()
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a value, with each of its keys."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [hit for key in keys for hit in places(value[key])]


def mutated(data: st.DataObject) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(content)))
        if isinstance(container, dict) and data.draw(st.booleans()):
            key = data.draw(KEYS)
        container[key] = data.draw(ANYTHING)
    return content


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), ending=st.sampled_from(["json", "yaml"]))
def test_any_file_loads_or_is_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ending: str
) -> None:
    """Random JSON at random places: a pipeline or a PipelineFileError, and never anything else."""
    path = tmp_path_factory.getbasetemp() / f"mutated.{ending}"
    path.write_text(json.dumps(mutated(data)))
    try:
        pipeline = load(path)
    except PipelineFileError as error:
        assert error.problems
        assert all(str(problem).isprintable() for problem in error.problems)
    else:
        assert pipeline.stages


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.integers(0, len(VALID)), length=st.integers(0, 9), new=st.binary(max_size=9))
def test_any_bytes_load_or_are_told(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, new: bytes
) -> None:
    """A slip of the keyboard anywhere in a YAML file ends in a pipeline or in its problems."""
    path = tmp_path_factory.getbasetemp() / "slipped.yaml"
    text = VALID.encode()
    path.write_bytes(text[:start] + new + text[start + length :])
    try:
        load(path)
    except PipelineFileError as error:
        assert error.problems
