"""The one thing of a result that a reader wants to see first."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..json_value import JSON, as_text
from ..text import beginning

FINAL_UNITS = 50_000
CUT = "\n...[truncated]"

# Where to look, in this order: the path in the output, the type and the label of what is there.
# Section 5.4 of the REST contract; the two stages are those of the old server's own pipelines.
PLACES = (
    (("stage-6-finalize", "optimizedPrompt"), "text", "Optimized Prompt"),
    (("optimizedPrompt",), "text", "Optimized Prompt"),
    (("refinedPrompt",), "text", "Refined Prompt"),
    (("enhancedPrompt",), "text", "Enhanced Prompt"),
    (("generatedCode",), "code", "Generated Code"),
    (("stage-3-generate", "pipelineConfig"), "code", "Generated Pipeline"),
)


@dataclass(frozen=True, slots=True)
class FinalOutput:
    """`type` is text, code or json; `content` has FINAL_UNITS UTF-16 units at most, and a note."""

    type: str
    content: str
    label: str


def final_output(output: Mapping[str, JSON]) -> FinalOutput:
    """What stands out in the output of a result, or else the whole of it as JSON."""
    for path, type, label in PLACES:
        if found := _at(output, path):
            return FinalOutput(type, _cut(as_text(found)), label)
    return FinalOutput("json", _cut(as_text(dict(output))), "Output")


def _at(output: Mapping[str, JSON], path: tuple[str, ...]) -> JSON:
    here: JSON = output
    for key in path:
        if not isinstance(here, Mapping):
            return None
        here = here.get(key)
    return here


def _cut(text: str) -> str:
    start = beginning(text, FINAL_UNITS)
    return start if len(start) == len(text) else start + CUT
