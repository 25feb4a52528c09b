"""A query, compiled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields
from graphql.execution.values import VariableValues

from .reader import Reader
from .selection import TYPE_NAME, Compiler, arguments, resolver, strawberry_field


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read the answer to a query, its fields at the top in their order."""

    fields: tuple[tuple[str, Callable[[Reader, VariableValues], object]], ...]
    size: int
    """How many fields there are."""

    def read(self, reader: Reader, variables: VariableValues) -> dict[str, object]:
        """The response map, with fragments in it that may still have to be made."""
        return {"data": {key: read(reader, variables) for key, read in self.fields}}


def compiled(
    schema: strawberry.Schema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: VariableValues,
) -> Plan:
    """The plan of a query.

    It is good for all values of its variables that agree with these in the `deciding` ones.

    Raises:
        Uncovered: there is something in it that is not covered.
    """
    fragments = {name: FragmentDetails(one) for name, one in fragments_of(document).items()}
    root = schema._schema.query_type
    assert root is not None
    collected = collect_fields(schema._schema, fragments, variables, root, operation)
    compiler = Compiler(schema, operation, fragments, variables)
    fields, size = [], 0
    for key, details in collected.grouped_field_set.items():
        read, fields_of_it = _root_field(compiler, root, details)
        fields.append((key, read))
        size += fields_of_it
    return Plan(tuple(fields), size)


def deciding(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The variables that a plan depends on: all but those in arguments of fields at the top."""
    names = dict.fromkeys(
        _Deciding(fragments_of(document)).below(operation.selection_set, top=True)
    )
    return tuple(names)


def _root_field(
    compiler: Compiler, root: Any, details: list[FieldDetails]
) -> tuple[Callable[[Reader, VariableValues], object], int]:
    name = details[0].node.name.value
    if name == TYPE_NAME:
        return lambda reader, variables: root.name, 1
    definition = root.fields[name]
    marked, resolve = resolver(strawberry_field(definition))
    complete, below = compiler.completion(definition.type, details)
    given = [argument.value for argument in details[0].node.arguments or ()]
    constant = None if any(_variables(*given)) else compiler.arguments(definition, details)

    def read(reader: Reader, variables: VariableValues) -> object:
        asked = constant
        if asked is None:
            asked = arguments(compiler.schema, definition, details, variables)
        reader.moved |= marked.moves
        return complete(resolve(None, reader, asked), reader)

    return read, below.size


class _Deciding:
    """Looks for variables, in each fragment once at the top and once below."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._seen: set[tuple[str, bool]] = set()

    def below(self, selections: SelectionSetNode | None, *, top: bool) -> Iterator[str]:
        for selection in () if selections is None else selections.selections:
            for directive in selection.directives or ():
                yield from _variables(*(one.value for one in directive.arguments or ()))
            if isinstance(selection, FieldNode):
                if not top:
                    yield from _variables(*(one.value for one in selection.arguments or ()))
                yield from self.below(selection.selection_set, top=False)
            elif isinstance(selection, FragmentSpreadNode):
                yield from self._spread(selection.name.value, top)
            else:
                inline = cast("InlineFragmentNode", selection)
                yield from self.below(inline.selection_set, top=top)

    def _spread(self, name: str, top: bool) -> Iterator[str]:
        if (name, top) not in self._seen:
            self._seen.add((name, top))
            yield from self.below(self._fragments[name].selection_set, top=top)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document by their names."""
    found = (one for one in document.definitions if isinstance(one, FragmentDefinitionNode))
    return {one.name.value: one for one in found}


def _variables(*values: Node) -> Iterator[str]:
    """The names of all variables in these values."""
    for value in values:
        if isinstance(value, VariableNode):
            yield value.name.value
        elif isinstance(value, ListValueNode):
            yield from _variables(*value.values)
        elif isinstance(value, ObjectValueNode):
            yield from _variables(*(field.value for field in value.fields))
