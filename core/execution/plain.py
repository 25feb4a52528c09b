"""Parts of the model as plain JSON, field by field, and back."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

from ..json_value import JSON
from .stage_log import StageLog
from .stored import StoredValue

IN_FILE = "_in_file"
"""Ends the key of a value that is in a file: what a stage returns can look like anything."""

ATOMS = frozenset({str, int, float, bool, type(None)})
NOTHING: Mapping[str, Callable[[Any], object]] = {}

Value = TypeVar("Value")
Parts: TypeAlias = Mapping[type, Mapping[str, Callable[[Any], object]]]
"""For each class, the fields of which a value is not as JSON has it, and what makes it that."""


def plain(value: object) -> JSON:
    """What JSON has for it: an object for each part, with a key for each of its fields.

    Of the log of a stage that is how far it is; the text is in a file.
    """
    cls = type(value)
    if cls in ATOMS:
        return value
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if cls is StageLog:
        return _extent(value)  # type: ignore[arg-type]
    if names := _names(cls):  # type: ignore[arg-type] # mypy: a class is not Hashable
        parts: dict[str, JSON] = {}
        for name in names:
            part = getattr(value, name)
            parts[name + IN_FILE if type(part) is StoredValue else name] = plain(part)
        return parts
    return value


def built(cls: type[Value], data: Mapping[str, Any], parts: Parts) -> Value:
    """The value of that class from what `plain` has made of it. Other keys are passed over.

    Raises:
        KeyError, TypeError, ValueError: this is none.
    """
    known = dict(data)
    if not _known_names(cls).issuperset(data):  # type: ignore[arg-type]
        known = _of_known_names(cls, data, parts)
    for name, convert in parts.get(cls, NOTHING).items():
        if (part := known.get(name)) is not None:
            known[name] = convert(part)
    return cls(**known)


@cache
def _names(cls: type) -> tuple[str, ...]:
    """Of the fields of a dataclass; none of another class. To look takes longer than the rest."""
    return tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()


@cache
def _known_names(cls: type) -> frozenset[str]:
    return frozenset(_names(cls))


def _of_known_names(cls: type, data: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    known = {name: data[name] for name in _names(cls) if name in data}
    for name in _names(cls):
        if name + IN_FILE in data:
            known[name] = built(StoredValue, data[name + IN_FILE], parts)
    return known


def _extent(log: StageLog) -> JSON:
    lengths: dict[str, JSON] = {"length": log.length, "output_length": log.output_length}
    if log.of_value:
        lengths["of_value"] = True
    return lengths | ({"head": log.head, "cut": log.cut} if log.head else {})
