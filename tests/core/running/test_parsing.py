"""Reading what a stage has put out: json, text and markdown."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st
from runcast.core.errors import StageError
from runcast.core.pipelines.definition import OutputDefinition
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
    assert parsed(output(), text) == value


@given(PROSE, OBJECTS, PROSE)
def test_an_object_is_found_in_any_prose(before: str, value: Any, after: str) -> None:
    """Whatever a model says around its JSON."""
    assert parsed(output(), f"{before}{json.dumps(value)}{after}") == value


@pytest.mark.parametrize("text", ["", "no json", "{", "{a: 1}", '{"a": 1} and {"b": 2}', "```{```"])
def test_an_answer_without_json_fails_the_stage(text: str) -> None:
    """The message begins as clients know it, and another attempt is not made."""
    with pytest.raises(StageError, match=r"^Failed to parse JSON output: .+") as raised:
        parsed(output(), text)
    assert not raised.value.retryable


def test_only_what_is_extracted_is_handed_over() -> None:
    """Names get the values at their paths; null counts as found."""
    extract = (
        {"name": "best", "path": "list.0.name"},
        {"name": "nothing", "path": "null"},
        {"name": "left", "path": "missing", "required": False},
        {"name": "stand_in", "path": "missing", "default": 3},
    )
    value = parsed(output("json", *extract), '{"list": [{"name": "a"}], "null": null, "x": 1}')
    assert value == {"best": "a", "nothing": None, "stand_in": 3}


def test_a_required_field_that_is_missing_fails_the_stage() -> None:
    """The one message is wrapped in the other."""
    with pytest.raises(StageError) as raised:
        parsed(output("json", {"name": "a", "path": "b"}), "{}")
    message = 'Failed to parse JSON output: Required field "a" not found at path "b"'
    assert raised.value.message == message


def test_a_value_that_is_json_already_is_only_extracted_from() -> None:
    """A python stage hands over objects: their texts are not searched for code blocks."""
    value = {"a": "```json\n{}\n```", "b": 1}
    assert parsed(output("json", {"name": "c", "path": "b"}), value) == {"c": 1}
    assert parsed(output("json"), value) == value
    assert parsed(output("markdown"), value) == value


def test_markdown_has_sections() -> None:
    """Headings of any level become names in snake_case; what comes before them is `content`."""
    text = "Hello\n\n# The Best Prompt!\nDo it.\n\nWell.\r\n## Über-Blick ##\n#no heading\n# ---\n"
    assert parsed(output("markdown"), text) == {
        "content": "Hello",
        "the_best_prompt": "Do it.\n\nWell.",
        "über_blick": "#no heading\n# ---",
    }


def test_markdown_that_begins_with_a_heading_has_no_content() -> None:
    """And of two headings with one name the last counts."""
    assert parsed(output("markdown"), "# A\n1\n# a\n2") == {"a": "2"}


def test_text_has_content_and_labels() -> None:
    """`Label: value` lines, by their labels in lower case; the content is all of it."""
    text = " Score: 8\nFinal Verdict:\tgood: very\r\nhttps://x.org\nContent: no\nEmpty:\n10: x\n"
    assert parsed(output("text"), text) == {
        "content": text.strip(),
        "score": "8",
        "final verdict": "good: very",
    }


@given(st.text(), st.sampled_from(["json", "text", "markdown"]))
def test_any_text_is_read_or_refused(text: str, format: str) -> None:
    """Nothing but a StageError comes out of a text that cannot be read."""
    try:
        value = parsed(output(format), text)
    except StageError as error:
        assert format == "json" and error.message.startswith("Failed to parse JSON output: ")
    else:
        assert format == "json" or isinstance(value, dict)


@pytest.mark.parametrize("format", ["json", "text", "markdown"])
@pytest.mark.parametrize(
    "hostile", ["{", "[", "[]", "{}", "```", "`", "# ", "#", "a: ", "a ", " ", "#\t \n", "]["]
)
def test_hostile_answers_take_linear_time(hostile: str, format: str) -> None:
    """1 MiB of nearly something is read, or refused, in a moment."""
    text = (hostile * (1 << 20))[: 1 << 20]
    began = time.process_time()
    try:
        parsed(output(format), text)
    except StageError:
        assert format == "json"
    assert time.process_time() - began < 5
