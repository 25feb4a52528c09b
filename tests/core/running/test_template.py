"""Templates: what names mean, and what becomes of the text."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st
from runcast.core.errors import StageError
from runcast.core.json_value import as_text
from runcast.core.pipelines.definition import Variable
from runcast.core.running.template import Scope, render, resolve

OUTPUTS = {
    "analysis": {"score": 7, "tips": ["be brief", "be kind"], "none": None},
    "v1.2": {"x": "dotted id"},
    "v1": {"2": {"x": "short id"}, "y": 1},
    "raw": "plain text",
}
SCOPE = Scope(prompt="write a poem", given={"given": True}, outputs=OUTPUTS)


def variable(**keys: Any) -> Variable:
    return Variable.model_validate({"name": "v", **keys})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no names", "no names"),
        ("{{prompt}}", "write a poem"),
        ("{{ prompt }}|{{\tprompt\n}}", "write a poem|write a poem"),
        ("{{input.prompt}}", "write a poem"),
        ("{{input_prompt}}", "write a poem"),
        ("{{analysis.score}}", "7"),
        ("{{analysis.tips.1}}", "be kind"),
        ("{{analysis.none}}", "null"),
        ("{{raw}}", "plain text"),
        ("{{v1.2.x}}", "dotted id"),
        ("{{v1.y}}", "1"),
        ("{{analysis.tips}}", '[\n  "be brief",\n  "be kind"\n]'),
        ("{single} {{}} }} {{", "{single} {{}} }} {{"),
        ("{{{prompt}}}", "{write a poem}"),
    ],
)
def test_a_name_is_replaced(template: str, text: str) -> None:
    """Names mean the input, and what stages handed over; objects become JSON (section 5.3)."""
    assert render(template, {}, SCOPE) == text


@pytest.mark.parametrize("ids", [("v1", "v1.2", "v"), ("v1.2", "v", "v1"), ("v", "v1.2", "v1")])
def test_of_several_ids_that_fit_the_longest_is_meant(ids: tuple[str, ...]) -> None:
    """Whichever of these stages has run first."""
    known = {"v1.2": {"x": "long"}, "v1": {"2": {"x": "short"}, "y": 1}, "v": {"1": {"y": 2}}}
    scope = Scope("a prompt", None, {id: known[id] for id in ids})
    assert render("{{v1.2.x}} {{v1.y}} {{v.1.y}}", {}, scope) == "long 1 2"
    found = resolve([variable(source="context", path="v1.2.x")], scope)
    assert found == {"v": "long"}


def test_an_id_that_is_not_there_hides_nothing() -> None:
    """Without the longer one the path leads into the shorter one; with it, only into that."""
    scope = Scope("a prompt", None, {"v1": {"2": {"x": "short"}}, "v12": {}})
    assert render("{{v1.2.x}}", {}, scope) == "short"
    both = Scope("a prompt", None, {"v1": {"2": {"x": "short"}}, "v1.2": {}})
    with pytest.raises(StageError, match=r"v1\.2\.x"):
        render("{{v1.2.x}}", {}, both)


def test_a_variable_comes_first() -> None:
    """A resolved variable hides the input and the stages of the same name."""
    values = {"prompt": "mine", "analysis.score": 9, "input.prompt": "also mine"}
    template = "{{prompt}} {{analysis.score}} {{input.prompt}}"
    assert render(template, values, SCOPE) == "mine 9 also mine"


def test_the_input_comes_before_the_context() -> None:
    """A stage called `prompt` does not hide the input, but its paths can be reached."""
    scope = Scope("the input", None, {"prompt": {"a": 1}})
    assert render("{{prompt}} {{prompt.a}}", {}, scope) == "the input 1"


@pytest.mark.parametrize("name", ["nothing", "analysis.nothing", "input.nothing", "raw.x"])
def test_a_name_without_a_meaning_fails_the_stage(name: str) -> None:
    """Another attempt would find no more."""
    with pytest.raises(StageError) as raised:
        render(f"say {{{{ {name} }}}}", {}, SCOPE)
    assert raised.value.message == f'Variable "{name}" not found'
    assert not raised.value.retryable


@given(st.text(), st.text())
def test_what_is_put_in_is_not_looked_at_again(before: str, value: str) -> None:
    """A value with braces of its own stays as it is."""
    around = before.replace("{", "(").replace("}", ")")
    template, value = f"{around}{{{{x}}}}{around}", f"{value}{{{{prompt}}}}"
    assert render(template, {"x": value}, SCOPE) == f"{around}{value}{around}"


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_placeholders_stays(text: str) -> None:
    """Rendering changes placeholders and nothing else."""
    assert render(text, {}, SCOPE) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
        max_leaves=8,
    )
)
def test_a_value_that_is_no_text_reads_as_json(value: Any) -> None:
    """It can be read back."""
    assert json.loads(as_text(value)) == value


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({"source": "input", "path": "prompt"}, "write a poem"),
        ({"source": "input", "name": "prompt"}, "write a poem"),
        ({"source": "context", "path": "analysis.score"}, 7),
        ({"source": "context", "name": "raw"}, "plain text"),
        ({"source": "previousStage"}, {"given": True}),
        ({"source": "previousStage", "path": "given"}, True),
        ({"source": "previousStage", "stageId": "analysis", "path": "tips.0"}, "be brief"),
        ({"source": "previousStage", "stageId": "raw"}, "plain text"),
        ({"source": "previousStage", "stageId": "analysis", "path": "none"}, None),
        ({"source": "static", "value": ["a"]}, ["a"]),
        ({"source": "static", "value": None}, None),
    ],
)
def test_a_variable_has_a_source(keys: dict[str, Any], value: Any) -> None:
    """Each source is looked at by path; null is a value."""
    one = variable(**keys)
    assert resolve([one], SCOPE) == {one.name: value}


@pytest.mark.parametrize(
    "keys",
    [
        {"source": "input", "path": "nothing"},
        {"source": "input"},
        {"source": "context", "path": "analysis.nothing"},
        {"source": "previousStage", "stageId": "skipped"},
        {"source": "previousStage", "path": "nothing"},
        {"source": "static"},
    ],
)
def test_a_required_variable_without_a_value_fails_the_stage(keys: dict[str, Any]) -> None:
    """One that is not required is empty text."""
    with pytest.raises(StageError, match=r'^Required variable "v" not found$') as raised:
        resolve([variable(**keys)], SCOPE)
    assert not raised.value.retryable
    assert resolve([variable(required=False, **keys)], SCOPE) == {"v": ""}


@pytest.mark.parametrize("hostile", ["{", "{{a", "{{ ", "{{}", "{{a}"])
def test_hostile_templates_take_linear_time(hostile: str) -> None:
    """1 MiB of beginnings that never become a placeholder is read in a moment."""
    template = (hostile * (1 << 20))[: 1 << 20]
    began = time.process_time()
    assert render(template, {}, SCOPE) == template
    assert time.process_time() - began < 5
