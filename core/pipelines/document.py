"""A YAML or JSON text, read strictly: its plain values, and the line of each of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..json_value import JSON
from .problem import Severity

Place: TypeAlias = tuple[str | int, ...]

MAX_EXPANDED = 4 << 20
NODE_WEIGHT = 20
"""What a value counts beside its text: as many characters as JSON may need around it."""

YAML_TAG = "tag:yaml.org,2002:"
MERGE = YAML_TAG + "merge"
TEXT_TAGS = ("str", "timestamp", "value", "merge")
PLAIN_TAGS: dict[type[Node], frozenset[str]] = {
    ScalarNode: frozenset(YAML_TAG + tag for tag in ("null", "bool", "int", "float", *TEXT_TAGS)),
    SequenceNode: frozenset({YAML_TAG + "seq"}),
    MappingNode: frozenset({YAML_TAG + "map"}),
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong at a place of a document; `line` counts from 1."""

    message: str
    place: Place = ()
    line: int | None = None
    severity: Severity = Severity.ERROR


class DocumentError(Exception):
    """A document cannot be used."""

    def __init__(self, *flaws: Flaw) -> None:
        super().__init__("; ".join(flaw.message for flaw in flaws))
        self.flaws = flaws


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """The parsed content of a text."""

    content: JSON
    root: Node | None
    """The values with their positions; None where they are not known."""

    def line(self, place: Place) -> int | None:
        """The line of a value, or of the nearest one around it if there is no such value."""
        line, node = _line(self.root), self.root
        for part in place:
            line, node = _step(node, part, line)
        return line


class PlainConstructor(SafeConstructor):
    """Makes dicts, lists, text, numbers, booleans and None; a date stays the text that it was."""


for _tag in TEXT_TAGS:
    PlainConstructor.add_constructor(YAML_TAG + _tag, SafeConstructor.construct_yaml_str)


def read_yaml(text: str) -> Document:
    """Reads YAML 1.2.

    Raises:
        DocumentError: it is not YAML, has a key twice, a tag that is not plain, or aliases that
            expand to more than MAX_EXPANDED characters.
    """
    try:
        yaml = _yaml()
        root = yaml.compose(text)
        _check(root)
        content = None if root is None else yaml.constructor.construct_document(root)
        return Document(content, root)
    except DocumentError:
        raise
    except Exception as error:  # ruamel.yaml lets out what int(), chr() and recursion raise
        raise DocumentError(_yaml_flaw(error)) from error


def read_json(text: str) -> Document:
    """Reads JSON.

    Raises:
        DocumentError: it is not JSON, or has a key twice.
    """
    repeated: list[str] = []
    try:
        content = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, repeated),
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise DocumentError(_json_flaw(error)) from error
    document = Document(content, _positions(text))
    if repeated:
        flaws = list(_repeated(document.root)) if document.root else []
        raise DocumentError(*flaws or (_twice(key, (), None) for key in repeated))
    return document


def quoted(name: object) -> str:
    """A name as a message may show it: short, and on one line."""
    text = str(name)
    return f"`{repr(text[:60])[1:-1]}{'…' if len(text) > 60 else ''}`"


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = PlainConstructor
    yaml.composer.warn_double_anchors = False
    return yaml


def _positions(text: str) -> Node | None:
    """JSON is YAML, but for tabs between the values (JSON has none inside of text)."""
    try:
        root: Node | None = _yaml().compose(text.replace("\t", " "))
    except Exception:  # a position is a courtesy
        return None
    return root


def _check(root: Node | None) -> None:
    if root is None:
        return
    if _weight(root, {}) > MAX_EXPANDED:
        raise DocumentError(Flaw("it is too big once its aliases (`*name`) are written out"))
    if flaws := [*_repeated(root), *_strange(root)]:
        raise DocumentError(*flaws)


def _weight(node: Node, known: dict[int, int | None]) -> int:
    """How long the node would be as JSON, roughly, with every alias written out."""
    weight = known.get(id(node), 0)
    if weight is None:
        raise DocumentError(
            Flaw("an alias (`*name`) refers to what it is part of", (), _line(node))
        )
    if weight == 0:
        known[id(node)] = None
        weight = NODE_WEIGHT + sum(_weight(child, known) for child in _children(node))
        weight += len(node.value) if isinstance(node, ScalarNode) else 0
        known[id(node)] = weight
    return weight


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, SequenceNode):
        yield from node.value


def _walk(root: Node) -> Iterator[tuple[Node, Place]]:
    """The node and all below it with their places, each once however often it is referred to."""
    seen: set[int] = set()
    waiting: list[tuple[Node, Place]] = [(root, ())]
    while waiting:
        node, place = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node, place
            waiting.extend((child, (*place, part)) for part, child in _parts(node))


def _parts(node: Node) -> Iterator[tuple[str | int, Node]]:
    if isinstance(node, MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
    elif isinstance(node, SequenceNode):
        yield from enumerate(node.value)


def _repeated(root: Node) -> Iterator[Flaw]:
    for node, where in _walk(root):
        keys: set[str] = set()
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if str(key.value) in keys:
                yield _twice(str(key.value), where, _line(key))
            keys.add(str(key.value))


def _strange(root: Node) -> Iterator[Flaw]:
    for node, where in _walk(root):
        if str(node.tag) not in PLAIN_TAGS[type(node)]:
            yield Flaw(f"the tag {quoted(node.tag)} is not supported", where, _line(node))
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if str(key.tag).removeprefix(YAML_TAG) not in TEXT_TAGS:
                yield Flaw("a key must be text; put it in quotes", where, _line(key))


def _step(node: Node | None, part: str | int, line: int | None) -> tuple[int | None, Node | None]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == part:
                return _line(key), value
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return _line(node.value[part]), node.value[part]
    return line, None


def _line(node: Node | None) -> int | None:
    return None if node is None else int(node.start_mark.line) + 1


def _twice(key: str, place: Place, line: int | None) -> Flaw:
    return Flaw("the key is there twice", (*place, key), line)


def _yaml_flaw(error: Exception) -> Flaw:
    if isinstance(error, RecursionError):
        return Flaw("it is nested too deeply")
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    problem = error.problem if isinstance(error, MarkedYAMLError) else str(error)
    first_line = str(problem).strip().split("\n")[0][:200]
    return Flaw(f"not valid YAML: {first_line}", (), None if mark is None else mark.line + 1)


def _json_flaw(error: Exception) -> Flaw:
    if isinstance(error, RecursionError):
        return Flaw("it is nested too deeply")
    if isinstance(error, json.JSONDecodeError):
        return Flaw(f"not valid JSON: {error.msg}, column {error.colno}", (), error.lineno)
    return Flaw(f"not valid JSON: {error}")


def _object(pairs: list[tuple[str, Any]], repeated: list[str]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            repeated.append(key)
        content[key] = value
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
