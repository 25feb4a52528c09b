"""Whether a document keeps to the limits: found in linear time, before anything is validated."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
)

from .limits import Limits

LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
MOST_NESTING = 100
"""Selection sets within each other, inline fragments included: beyond it nobody looks."""

Definition = TypeVar("Definition", bound=Node)


def refusal(limits: Limits, name: str, noun: str) -> GraphQLError:
    """The error for the limit of that name."""
    flag = f"--{name.replace('_', '-')}"
    return GraphQLError(
        f"The document has more than {getattr(limits, name)} {noun}; "
        f"the server's limit is set with {flag}",
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
        scale.check_lists(operation.variable_definitions or (), "default_value")
        _check_operation(operation, scale.weigh(operation.selection_set), limits)


def check_variables(variables: Mapping[str, object] | None, limits: Limits) -> None:
    """As `check`, for the lists in the variables' values."""
    heap: list[object] = [variables]
    while heap:
        value = heap.pop()
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
        raise refusal(limits, name, noun)


@dataclass(slots=True)
class _Weight:
    """What a selection set holds, its fragments laid out."""

    names: Counter[str] = field(default_factory=Counter)
    """The fields at its top, and how often each is named."""
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0

    @property
    def roots(self) -> int:
        return self.names.total()

    def take(self, other: "_Weight") -> None:
        """Adds what is spread here: its fields stand at this level."""
        self.names.update(other.names)
        self.take_below(other, 0)

    def take_below(self, other: "_Weight", levels: int = 1) -> None:
        """Adds what is that many levels further down."""
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
            raise refusal(self._limits, "max_depth", "levels of fields")
        weight = _Weight()
        for selection in selections.selections:
            self._add(weight, selection, nesting)
        # Validation compares each with each: what they select below, too.
        most = max(weight.names.values(), default=0)
        _compare(self._limits, "max_repeats", most, "fields of the same name in one place")
        return weight

    def _add(self, weight: _Weight, selection: SelectionNode, nesting: int) -> None:
        for directive in selection.directives or ():
            weight.directives += 1
            self.check_lists(directive.arguments or ())
        if isinstance(selection, FieldNode):
            self._add_field(weight, selection, nesting)
        elif isinstance(selection, FragmentSpreadNode):
            weight.take(self._spread(selection.name.value, nesting))
        else:
            inline: SelectionSetNode = selection.selection_set  # type: ignore[attr-defined]
            weight.take(self.weigh(inline, nesting + 1))

    def _add_field(self, weight: _Weight, node: FieldNode, nesting: int) -> None:
        weight.names[(node.alias or node.name).value] += 1
        weight.fields += 1
        weight.aliases += node.alias is not None
        self.check_lists(node.arguments or ())
        below = _Weight()
        if node.selection_set is not None:
            below = self.weigh(node.selection_set, nesting + 1)
        if node.name.value.startswith("__"):
            # Tools need 13 levels there, and graphql-core has a rule of its own for them.
            below.depth = 0
        weight.take_below(below)

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

    def check_lists(self, nodes: Iterable[Node], attribute: str = "value") -> None:
        """Refuses a list that is too long in that attribute of a node."""
        for node in _values([getattr(node, attribute) for node in nodes]):
            if isinstance(node, ListValueNode) and len(node.values) > self._limits.max_list:
                raise refusal(self._limits, "max_list", "elements in a list")


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
