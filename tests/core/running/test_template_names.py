"""What is refused before anything runs, compared with what rendering a template comes to."""

from typing import Any

from hypothesis import given, strategies as st
from runcast.core.errors import StageError
from runcast.core.json_value import JSON
from runcast.core.pipelines.pipeline import PipelineFile
from runcast.core.pipelines.template_names import Names
from runcast.core.running.template import Scope, render

IDS = ("a", "a.b", "b", "prompt", "input.prompt", "input_x", "c.0")
WORDS = ("a", "b", "c", "0", "x", "prompt", "input", "input_x", "input_prompt", "")

ids = st.lists(st.sampled_from(IDS), min_size=1, unique=True)
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(".".join)


def names_of(stage_ids: list[str], index: int, **keys: Any) -> Names:
    stages = [{"id": id, "call": "os:getpid", **keys} for id in stage_ids]
    content = {"pipeline": {"id": "p", "name": "P"}, "stages": stages}
    return list(Names.of_each(PipelineFile.model_validate(content).stages))[index]


def nested(path: str) -> JSON:
    value: JSON = "found"
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def renders(name: str, outputs: dict[str, JSON]) -> bool:
    try:
        render(f"{{{{ {name} }}}}", {}, Scope("text", None, outputs))
    except StageError:
        return False
    return True


@given(ids, st.integers(0, 10), names)
def test_refused_is_what_never_renders(stage_ids: list[str], place: int, name: str) -> None:
    """A name is refused exactly if it fails whatever the stages before have handed over."""
    index = place % len(stage_ids)
    earlier = stage_ids[:index]
    possible = [
        {id: nested(name.removeprefix(f"{id}.")) for id in earlier if name.startswith(f"{id}.")},
        dict.fromkeys(earlier, "text"),
    ]
    refused = names_of(stage_ids, index).flaw(name) is not None
    assert refused is not any(renders(name, outputs) for outputs in possible)


@given(ids, names)
def test_only_extracted_names_render(stage_ids: list[str], name: str) -> None:
    """Of what a stage extracts, a name is refused exactly if nothing is extracted under it."""
    index = len(stage_ids) - 1
    earlier = stage_ids[:index]
    extracting = {"format": "json", "extract": [{"name": "x", "path": "y"}]}
    refused = names_of(stage_ids, index, output=extracting).flaw(name) is not None
    possible: list[dict[str, JSON]] = [
        {id: {"x": nested(name.removeprefix(f"{id}.x."))} for id in earlier},
        {id: {"x": "text"} for id in earlier},
        *({id: {"x": nested(name.removeprefix(f"{id}.x."))}} for id in earlier),
        *({id: {"x": "text"}} for id in earlier),
    ]
    assert refused is not any(renders(name, outputs) for outputs in possible)
