"""The keys of a pipeline file, and what was meant by one that there is not."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Tag

from .document import Place, quoted
from .pipeline import KINDS, PipelineFile, StageDefinition
from .suggestion import nearest, suggestion


def kind_meant(stage: Mapping[str, Any]) -> str:
    """`; did you mean …?`, if one of the keys of a stage without a kind is almost that of one."""
    for key in stage:
        if key not in StageDefinition.model_fields and (meant := nearest(key, KINDS)):
            return f"; did you mean `{meant}` by {quoted(key)}?"
    return ""


def unknown_key(loc: Place) -> str:
    """What is said of a key that there is not; `loc` is where pydantic has found it."""
    key = str(loc[-1])
    return f"unknown key {quoted(key)}{suggestion(key, _known_keys(loc))}"


def _known_keys(loc: Place) -> Iterator[str]:
    annotations: list[Any] = [PipelineFile]
    for part in loc[:-1]:
        annotations = [below for one in annotations for below in _below(one, part)]
    for one in annotations:
        # A key that may be left out has a union with None.
        for model in (one, *get_args(one)):
            if isinstance(model, type) and issubclass(model, BaseModel):
                yield from (field.alias or name for name, field in model.model_fields.items())


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    """What the types of the definition have at one part of a pydantic location."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        yield from (field.annotation for name, field in fields if (field.alias or name) == part)
    elif isinstance(part, int):
        yield from get_args(annotation)
    elif _tag(annotation) == part:
        yield get_args(annotation)[0]
    else:
        for argument in get_args(annotation):
            yield from _below(argument, part)


def _tag(annotation: Any) -> str | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((each.tag for each in get_args(annotation)[1:] if isinstance(each, Tag)), None)
