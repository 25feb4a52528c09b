"""Whether a document keeps to the limits: found in linear time, before anything is validated."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
)

from ..core.json_value import CLIENT_DIGITS
from .limits import Limits

LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
MOST_NESTING = 100
"""Selection sets within each other, inline fragments included: beyond it nobody looks."""

Definition = TypeVar("Definition", bound=Node)


def limit_exceeded(
    limits: Limits, name: str, noun: str, what: str = "The document has"
) -> GraphQLError:
    """The error for the limit of that name."""
    flag = f"--{name.replace('_', '-')}"
    return GraphQLError(
        f"{what} more than {getattr(limits, name)} {noun}; the server's limit is set with {flag}",
        extensions={"code": LIMIT_EXCEEDED, "limit": name},
    )


def check(document: DocumentNode, limits: Limits) -> None:
    """Refuses what is too large.

    Raises:
        GraphQLError: with the code LIMIT_EXCEEDED and the name of the limit.
    """
    operations = _of(OperationDefinitionNode, document)
    fragments = _of(FragmentDefinitionNode, document)
    _compare(limits, "max_operations", len(operations), "operations")
    _compare(limits, "max_fragments", len(fragments), "fragments")
    scale = _Scale(fragments, limits)
    for operation in operations:
        scale.check_values(operation.variable_definitions or (), "default_value")
        _check_operation(operation, scale.weigh(operation.selection_set), limits)


def check_variables(variables: Mapping[str, object] | None, limits: Limits) -> None:
    """As `check`, for the variables' values and the lists in them."""
    heap: list[object] = [variables]
    seen = 0
    while heap:
        value = heap.pop()
        seen += 1
        _compare(limits, "max_values", seen, "values in the variables")
        if isinstance(value, list):
            _compare(limits, "max_list", len(value), "elements in a list")
            heap += value
        elif isinstance(value, Mapping):
            heap += value.values()


def _check_operation(operation: OperationDefinitionNode, weight: "_Weight", limits: Limits) -> None:
    directives = weight.directives + len(operation.directives or ())
    for variable in operation.variable_definitions or ():
        directives += len(variable.directives or ())
    if operation.operation is OperationType.MUTATION:
        _compare(limits, "max_mutations", weight.roots, "mutations in an operation")
    _compare(limits, "max_root_fields", weight.roots, "root fields")
    _compare(limits, "max_depth", weight.depth, "levels of fields")
    _compare(limits, "max_fields", weight.fields, "fields in an operation")
    _compare(limits, "max_aliases", weight.aliases, "aliases")
    _compare(limits, "max_directives", directives, "directives")


def _compare(limits: Limits, name: str, found: int, noun: str) -> None:
    if found > getattr(limits, name):
        raise limit_exceeded(limits, name, noun)


@dataclass(slots=True)
class _Place:
    """A place in an answer: how many fields of a document fill it, and the places below."""

    fields: int = 0
    below: "_Places" = field(default_factory=dict)


_Places: TypeAlias = dict[str, _Place]


@dataclass(slots=True)
class _Weight:
    """What a selection set holds, its fragments laid out."""

    places: _Places = field(default_factory=dict)
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0

    @property
    def roots(self) -> int:
        return sum(place.fields for place in self.places.values())

    def take(self, other: "_Weight", levels: int = 0) -> None:
        """Adds what is that many levels further down; all but its places."""
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.depth = max(self.depth, other.depth + levels)


class _Scale:
    """Weighs each fragment once, however often it is spread."""

    def __init__(self, fragments: Iterable[FragmentDefinitionNode], limits: Limits) -> None:
        self._fragments = {one.name.value: one for one in fragments}
        self._limits = limits
        self._weights: dict[str, _Weight] = {}

    def weigh(self, selections: SelectionSetNode, nesting: int = 1) -> _Weight:
        if nesting > MOST_NESTING:
            raise limit_exceeded(self._limits, "max_depth", "levels of fields")
        weight = _Weight()
        for selection in selections.selections:
            self._add(weight, selection, nesting)
            # Here, too: what is merged must stay small.
            _compare(self._limits, "max_fields", weight.fields, "fields in an operation")
        return weight

    def _add(self, weight: _Weight, selection: SelectionNode, nesting: int) -> None:
        for directive in selection.directives or ():
            weight.directives += 1
            self.check_values(directive.arguments or ())
        if isinstance(selection, FieldNode):
            self._add_field(weight, selection, nesting)
        elif isinstance(selection, FragmentSpreadNode):
            self._take(weight, self._spread(selection.name.value, nesting))
        else:
            inline: SelectionSetNode = selection.selection_set  # type: ignore[attr-defined]
            self._take(weight, self.weigh(inline, nesting + 1))

    def _add_field(self, weight: _Weight, node: FieldNode, nesting: int) -> None:
        weight.fields += 1
        weight.aliases += node.alias is not None
        self.check_values(node.arguments or ())
        below = _Weight()
        if node.selection_set is not None:
            below = self.weigh(node.selection_set, nesting + 1)
        if node.name.value.startswith("__"):
            # Tools need 13 levels there, and graphql-core has a rule of its own for them.
            below.depth = 0
        weight.take(below, levels=1)
        self._merge(weight.places, {(node.alias or node.name).value: _Place(1, below.places)})

    def _take(self, weight: _Weight, spread: _Weight) -> None:
        """Adds what is spread: its fields stand at the same level."""
        weight.take(spread)
        self._merge(weight.places, spread.places)

    def _merge(self, places: _Places, others: _Places) -> None:
        """Validation compares each two fields of a place, wherever they stand in the document."""
        for name, other in others.items():
            place = places.setdefault(name, _Place())
            place.fields += other.fields
            _compare(
                self._limits, "max_repeats", place.fields, "fields of the same name in one place"
            )
            self._merge(place.below, other.below)

    def _spread(self, name: str, nesting: int) -> _Weight:
        if name not in self._weights:
            # A fragment within itself weighs nothing there; validation refuses it by name.
            self._weights[name] = _Weight()
            fragment = self._fragments.get(name)
            if fragment is not None:
                found = self.weigh(fragment.selection_set, nesting + 1)
                found.directives += len(fragment.directives or ())
                self._weights[name] = found
        return self._weights[name]

    def check_values(self, nodes: Iterable[Node], attribute: str = "value") -> None:
        """Refuses a list or a number that is too long in that attribute of a node."""
        for node in _values([getattr(node, attribute) for node in nodes]):
            if isinstance(node, ListValueNode) and len(node.values) > self._limits.max_list:
                raise limit_exceeded(self._limits, "max_list", "elements in a list")
            if isinstance(node, IntValueNode | FloatValueNode) and len(node.value) > CLIENT_DIGITS:
                # Python would tell the client which of its own settings is in the way.
                long = f"A number can have {CLIENT_DIGITS} characters"
                raise GraphQLError(long, node, extensions={"code": LIMIT_EXCEEDED})


def _values(heap: list[Node | None]) -> Iterator[Node]:
    """These values, and all that are within them."""
    while heap:
        value = heap.pop()
        if value is not None:
            yield value
        if isinstance(value, ListValueNode):
            heap += value.values
        elif isinstance(value, ObjectValueNode):
            heap += [field.value for field in value.fields]


def _of(kind: type[Definition], document: DocumentNode) -> list[Definition]:
    return [one for one in document.definitions if isinstance(one, kind)]
