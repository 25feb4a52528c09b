"""Reading what a stage has put out: json, text and markdown."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from runcast.core.errors import StageError
from runcast.core.pipelines.definition import OutputDefinition
from runcast.core.running import json_in_text, parsing
from runcast.core.running.parsing import parsed

PROSE = st.text(st.characters(exclude_characters="{}[]`", exclude_categories=["Cs"]))
OBJECTS = st.dictionaries(
    st.text("abc", min_size=1),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("xyz {}[]`"),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
)


def output(format: str = "json", *extract: dict[str, Any]) -> OutputDefinition:
    return OutputDefinition.model_validate({"format": format, "extract": extract})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Sure! {"a": {"b": 2}} Hope it helps.', {"a": {"b": 2}}),
        ("Here: [1, 2] done", [1, 2]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('{"no": 0} ```\n{"a": 1}\n``` {"no": 0}', {"a": 1}),
        ("```json\n42\n```", 42),
        (' "text" ', "text"),
        ('{"code": "```js\\n1\\n```"}', {"code": "```js\\n1\\n```".replace("\\n", "\n")}),
        ('x] {"a": 1}', {"a": 1}),
    ],
)
def test_json_is_found_in_an_answer(text: str, value: Any) -> None:
    """A code block first, then the widest object or list (section 5.3)."""
    assert parsed(output(), text, by_model=True) == value


@given(PROSE, OBJECTS, PROSE)
def test_an_object_is_found_in_any_prose(before: str, value: Any, after: str) -> None:
    """Whatever a model says around its JSON."""
    text = f"{before}{json.dumps(value)}{after}"
    assert parsed(output(), text, by_model=True) == value


@pytest.mark.parametrize("text", ["", "no json", "{", "{a: 1}", '{"a": 1} and {"b": 2}', "```{```"])
def test_an_answer_without_json_fails_the_stage(text: str) -> None:
    """The message begins as clients know it, and another attempt is not made."""
    with pytest.raises(StageError, match=r"^Failed to parse JSON output: .+") as raised:
        parsed(output(), text, by_model=True)
    assert not raised.value.retryable


@pytest.mark.parametrize("by_model", [True, False])
def test_only_what_is_extracted_is_handed_over(by_model: bool) -> None:
    """Names get the values at their paths; null counts as found."""
    extract = (
        {"name": "best", "path": "list.0.name"},
        {"name": "nothing", "path": "null"},
        {"name": "left", "path": "missing", "required": False},
        {"name": "stand_in", "path": "missing", "default": 3},
    )
    text = '{"list": [{"name": "a"}], "null": null, "x": 1}'
    value = parsed(output("json", *extract), text, by_model=by_model)
    assert value == {"best": "a", "nothing": None, "stand_in": 3}


def test_a_required_field_that_is_missing_fails_the_stage() -> None:
    """The one message is wrapped in the other."""
    with pytest.raises(StageError) as raised:
        parsed(output("json", {"name": "a", "path": "b"}), "{}", by_model=False)
    message = 'Failed to parse JSON output: Required field "a" not found at path "b"'
    assert raised.value.message == message


def test_a_value_that_is_json_already_is_only_extracted_from() -> None:
    """A python stage hands over objects: their texts are not searched for code blocks."""
    value = {"a": "```json\n{}\n```", "b": 1}
    extract = {"name": "c", "path": "b"}
    assert parsed(output("json", extract), value, by_model=False) == {"c": 1}
    assert parsed(output("json"), value, by_model=False) == value
    assert parsed(output("markdown"), value, by_model=False) == value


def test_markdown_has_sections() -> None:
    """Headings of any level become names in snake_case; what comes before them is `content`."""
    text = "Hello\n\n# The Best Prompt!\nDo it.\n\nWell.\r\n## Über-Blick ##\n#no heading\n# ---\n"
    assert parsed(output("markdown"), text, by_model=True) == {
        "content": "Hello",
        "the_best_prompt": "Do it.\n\nWell.",
        "über_blick": "#no heading\n# ---",
    }


def test_markdown_that_begins_with_a_heading_has_no_content() -> None:
    """And of two headings with one name the last counts."""
    assert parsed(output("markdown"), "# A\n1\n# a\n2", by_model=True) == {"a": "2"}


def test_text_has_content_and_labels() -> None:
    """`Label: value` lines, by their labels in lower case; the content is all of it."""
    text = " Score: 8\nFinal Verdict:\tgood: very\r\nhttps://x.org\nContent: no\nEmpty:\n10: x\n"
    assert parsed(output("text"), text, by_model=True) == {
        "content": text.strip(),
        "score": "8",
        "final verdict": "good: very",
    }


@given(st.text(), st.sampled_from(["json", "text", "markdown"]), st.booleans())
def test_any_text_is_read_or_refused(text: str, format: str, by_model: bool) -> None:
    """Nothing but a StageError comes out of a text that cannot be read."""
    try:
        value = parsed(output(format), text, by_model=by_model)
    except StageError as error:
        assert format == "json" and error.message.startswith("Failed to parse JSON output: ")
    else:
        assert format == "json" or isinstance(value, dict)


LOGS = [
    "found [3] files",
    '{"level": "info"}',
    "[INFO] loading",
    "}{",
    '"',
    "```",
    "",
    " \t",
    "7",
    "é",
]
VALUES = OBJECTS | st.lists(OBJECTS, max_size=3) | st.integers() | st.text('x[{\n"\\') | st.none()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"rows": 7}', {"rows": 7}),
        (' \n{"rows":\n 7}\r\n\ufeff\n', {"rows": 7}),
        ("[3]", [3]),
        ('found [3] files\n{"rows": 7}', {"rows": 7}),
        ('[INFO] loading\r\n{"rows": 7}\r\n', {"rows": 7}),
        ('{"level": "info"}\n{"level": "warning"}\n{"rows": 7}', {"rows": 7}),
        (
            'found [3] files\n{\n  "rows": [\n    {"n": "}"},\n    7\n  ]\n}',
            {"rows": [{"n": "}"}, 7]},
        ),
        ('half {\n[\n{"a": "]"},\n{"b": "\\"]["}\n]', [{"a": "]"}, {"b": '"]['}]),
        ("loading\n42", 42),
        ('loading\n"done"', "done"),
        ('done:\n```json\n{"rows": 7}\n```\nbye [3]', {"rows": 7}),
        ('```\n[1]\n```\n```json\n{"rows":\n7}\n```\n', {"rows": 7}),
        ('```json\n{"rows": 7}\n```\n```', {"rows": 7}),
    ],
)
def test_json_is_found_in_what_a_program_says(text: str, value: Any) -> None:
    """The whole text, else the last line or lines, else the last code block."""
    assert parsed(output(), text, by_model=False) == value


@given(st.lists(st.sampled_from(LOGS) | PROSE), VALUES, st.sampled_from([None, 2]))
def test_no_log_hides_the_value_at_the_end(logs: list[str], value: Any, indent: int | None) -> None:
    """Whatever brackets and quotes are in it; on one line or on many."""
    text = "\n".join([*logs, json.dumps(value, indent=indent)])
    assert parsed(output(), text, by_model=False) == value


@pytest.mark.parametrize(
    "text",
    [
        "found [3] files",
        'Result: {"rows": 7}',
        '{"rows": 7} rows',
        '{"rows": 7}\ndone',
        'Result: {\n"rows": 7\n}',
        '[1]\n```\n{"rows": 7}\n```x',
        "```\n[1]\nno end",
        "```\nno json\n```",
        '{"a": 1} {"b": 2}',
        "[1\n{2]}",
    ],
)
def test_no_bracket_of_a_log_is_taken_for_the_value(text: str) -> None:
    """Rather than something that was not meant, there is none."""
    with pytest.raises(StageError, match=r"^Failed to parse JSON output: .+"):
        parsed(output(), text, by_model=False)


@pytest.mark.parametrize("by_model", [True, False])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('{"rows": NaN}', "NaN is not a number of JSON: line 1 column 10"),
        ("[-Infinity]", "Infinity is not a number of JSON: line 1 column 3"),
        ("[" + "1" * 100_001 + "]", "an integer has 100001 digits, and 100000 is the limit"),
        ("[" * 201 + "]" * 201, "it is nested more than 200 deep"),
    ],
    ids=["NaN", "Infinity", "digits", "depth"],
)
def test_what_cannot_be_kept_is_refused_in_words(value: str, reason: str, by_model: bool) -> None:
    """Also below a log, which is no JSON either."""
    with pytest.raises(StageError) as raised:
        parsed(output(), f"loading\n{value}", by_model=by_model)
    assert raised.value.message == f"Failed to parse JSON output: {reason}"


HOSTILE = [
    "{",
    "[",
    "[]",
    "{}",
    "```",
    "`",
    "# ",
    "#",
    "a: ",
    "a ",
    " ",
    "#\t \n",
    "][",
    '"',
    '\\"',
]
HOSTILE += ["[\n", "]\n", "{}\n", "```\n", '"\n', "[[]\n", '"\\', "\n", '["', "1,", "}{\n", '{"a":']


class Counted:
    """Counts the characters that are read by what it stands for."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read
        self.characters = 0

    def __call__(self, text: str) -> Any:
        self.characters += len(text)
        return self._read(text)

    findall = __call__


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(HOSTILE) | PROSE, min_size=1, max_size=4).map("".join),
    st.sampled_from(["", "]", "}", "\n[", "\n1", "```"]),
    st.integers(1, 4000),
    st.booleans(),
)
@example("[[]\n", "]", 250_000, False)
@example('"\\', '"', 500_000, False)
@example("[", "]" * 1000, 1_000_000, True)
def test_no_part_of_a_text_is_read_again_and_again(
    hostile: str, end: str, times: int, by_model: bool
) -> None:
    """The parser is given at most three times the text, and each line is looked through once."""
    text = hostile * times + end
    loads, brackets = Counted(parsing.loads), Counted(json_in_text.BRACKETS.findall)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "loads", loads)
        patch.setattr(json_in_text, "BRACKETS", brackets)
        with suppress(StageError):
            parsed(output(), text, by_model=by_model)
    assert loads.characters <= 3 * len(text)
    assert brackets.characters <= len(text)


@pytest.mark.parametrize("by_model", [True, False])
@pytest.mark.parametrize("format", ["json", "text", "markdown"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_answers_take_linear_time(hostile: str, format: str, by_model: bool) -> None:
    """1 MiB of nearly something is read, or refused, in a moment."""
    text = (hostile * (1 << 20))[: 1 << 20]
    began = time.process_time()
    try:
        parsed(output(format), text, by_model=by_model)
    except StageError:
        assert format == "json"
    assert time.process_time() - began < 5
