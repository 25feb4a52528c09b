"""What a reader wants to see first of a result: section 5.4 of the REST contract."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from runcast.core.results.final_output import FinalOutput, final_output


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            {"optimizedPrompt": "a", "stage-6-finalize": {"optimizedPrompt": "b"}},
            FinalOutput("text", "b", "Optimized Prompt"),
        ),
        (
            {"optimizedPrompt": "a", "refinedPrompt": "b"},
            FinalOutput("text", "a", "Optimized Prompt"),
        ),
        (
            {"refinedPrompt": "a", "enhancedPrompt": "b"},
            FinalOutput("text", "a", "Refined Prompt"),
        ),
        (
            {"enhancedPrompt": "a", "generatedCode": "b"},
            FinalOutput("text", "a", "Enhanced Prompt"),
        ),
        (
            {"generatedCode": "a", "stage-3-generate": {"pipelineConfig": "b"}},
            FinalOutput("code", "a", "Generated Code"),
        ),
        (
            {"stage-3-generate": {"pipelineConfig": "a"}, "x": "b"},
            FinalOutput("code", "a", "Generated Pipeline"),
        ),
    ],
)
def test_the_first_place_that_has_something_is_taken(
    output: dict[str, Any], expected: FinalOutput
) -> None:
    """In the order of the contract, each with its type and label."""
    assert final_output(output) == expected


@pytest.mark.parametrize("output", [{}, {"one": "text", "two": {"a": [1, None]}}])
def test_otherwise_the_whole_output_is_shown_as_json(output: dict[str, Any]) -> None:
    """`{}` for a run that came to nothing."""
    found = final_output(output)
    assert (found.type, found.label) == ("json", "Output")
    assert json.loads(found.content) == output


@pytest.mark.parametrize("nothing", ["", None, {}, [], 0])
def test_an_empty_place_is_passed_over(nothing: object) -> None:
    """As JavaScript's `||` does."""
    found = final_output({"optimizedPrompt": nothing, "refinedPrompt": "b"})
    assert found == FinalOutput("text", "b", "Refined Prompt")


@pytest.mark.parametrize("stage", ["text", None, 7, ["optimizedPrompt"]])
def test_a_stage_without_such_a_key_is_passed_over(stage: object) -> None:
    """Whatever the stage came to."""
    found = final_output({"stage-6-finalize": stage, "optimizedPrompt": "a"})
    assert found.content == "a"


def test_what_is_no_text_is_shown_as_json() -> None:
    """An object as prompt."""
    found = final_output({"optimizedPrompt": {"a": 1}})
    assert found.type == "text"
    assert json.loads(found.content) == {"a": 1}


def test_long_content_is_cut() -> None:
    """At 50,000 UTF-16 units, never inside of a character, with a note."""
    exact, long = "x" * 50_000, "x" * 49_999 + "😀"
    assert final_output({"optimizedPrompt": exact}).content == exact
    assert final_output({"optimizedPrompt": long}).content == "x" * 49_999 + "\n...[truncated]"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(["optimizedPrompt", "stage-6-finalize", "stage-3-generate", "one"])


@settings(deadline=None)
@given(st.dictionaries(NAMES, JSON_VALUES))
def test_every_output_has_a_final_one(output: dict[str, Any]) -> None:
    """Of one of the three types, and never empty."""
    found = final_output(output)
    assert found.type in ("text", "code", "json")
    assert found.content
    assert found.label
