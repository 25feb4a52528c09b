"""What is asked of an object, compiled to functions that read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

import strawberry
from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    Undefined,
    get_argument_values,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    GroupedFieldSet,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from ..execution import Execution
from ..reads import Reads
from .reader import Reader

TYPE_NAME = "__typename"

Read: TypeAlias = Callable[[Any, Reader], object]
"""From an object to the value of one of its fields, ready for JSON."""
Complete: TypeAlias = Callable[[Any, Reader], object]
"""From what a resolver returns to the same."""


class Uncovered(Exception):
    """It cannot be compiled, or not be read: graphql-core is to answer."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection set on an object type; its fields in the order of the answer."""

    fields: tuple[tuple[str, Read], ...]
    shape: str
    """The same for two selections, wherever they stand, if they read the same."""
    size: int
    """How many fields there are, those of objects below included."""
    moves: bool

    @property
    def below(self) -> "Below":
        return Below(self.shape, self.size, self.moves)

    def read(self, source: object, reader: Reader) -> dict[str, object]:
        return {key: read(source, reader) for key, read in self.fields}


class Below(NamedTuple):
    """What stands below a field: as in `Selection`. Nothing, if it is a leaf."""

    shape: str = ""
    size: int = 1
    moves: bool = False


@dataclass(frozen=True, slots=True)
class _Field:
    read: Read
    shape: str
    below: Below
    moves: bool = False


class Compiler:
    """Compiles the selections of one operation, for these values of its variables."""

    def __init__(
        self,
        schema: strawberry.Schema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: VariableValues,
    ) -> None:
        self.schema = schema
        self.operation = operation
        self.fragments = fragments
        self.variables = variables

    def selection(self, parent: GraphQLObjectType, grouped: GroupedFieldSet) -> Selection:
        """
        Raises:
            Uncovered: a field of it is not covered.
        """
        fields = {key: self._field(parent, details) for key, details in grouped.items()}
        shapes = (f"{key}:{field.shape}" for key, field in fields.items())
        return Selection(
            tuple((key, field.read) for key, field in fields.items()),
            f"{parent.name}{{{' '.join(shapes)}}}",
            sum(field.below.size for field in fields.values()),
            any(field.moves or field.below.moves for field in fields.values()),
        )

    def _field(self, parent: GraphQLObjectType, details: list[FieldDetails]) -> _Field:
        name = details[0].node.name.value
        if name == TYPE_NAME:
            return _Field(lambda source, reader: parent.name, name, Below())
        definition = parent.fields[name]
        complete, below = self.completion(definition.type, details)
        known = strawberry_field(definition)
        if known.base_resolver is None:
            # Without a resolver it is an attribute of the object, and has no arguments.
            return _Field(_attribute(known.python_name, complete), name + below.shape, below)
        marked, resolve = resolver(known)
        asked = self.arguments(definition, details)

        def read(source: Any, reader: Reader) -> object:
            return complete(resolve(source, reader, asked), reader)

        shape = f"{name}({asked!r}){below.shape}" if asked else name + below.shape
        return _Field(read, shape, below, marked.moves)

    def arguments(self, definition: GraphQLField, details: list[FieldDetails]) -> dict[str, Any]:
        """The arguments of a field by the names that its resolver has for them."""
        return arguments(self.schema, definition, details, self.variables)

    def completion(
        self, type_: GraphQLOutputType, details: list[FieldDetails]
    ) -> tuple[Complete, Below]:
        """CompleteValue, section 6.4.3 of the GraphQL specification, for a type.

        Raises:
            Uncovered: something below is not covered.
        """
        if is_non_null_type(type_):
            complete, below = self._present(type_.of_type, details)
            return _never_null(complete), below
        complete, below = self._present(type_, details)
        return _or_null(complete), below

    def _present(
        self, type_: GraphQLOutputType, details: list[FieldDetails]
    ) -> tuple[Complete, Below]:
        if is_leaf_type(type_):
            return _leaf(type_.coerce_output_value), Below()
        if is_list_type(type_):
            return self._list(type_.of_type, details)
        if not is_object_type(type_):
            raise Uncovered
        selection = self._selection_below(type_, details)
        complete = _execution(selection) if _is_execution(type_) else selection.read
        return complete, selection.below

    def _list(self, item: GraphQLOutputType, details: list[FieldDetails]) -> tuple[Complete, Below]:
        type_ = get_named_type(item)
        if _is_execution(type_):
            # `[Execution!]!` wherever there is one: the bytes of all are joined.
            selection = self._selection_below(cast("GraphQLObjectType", type_), details)
            return _executions(selection), selection.below
        complete, below = self.completion(item, details)
        return _each(complete), below

    def _selection_below(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> Selection:
        schema = self.schema._schema
        found = collect_subfields(
            schema, self.fragments, self.variables, self.operation, type_, details
        )
        return self.selection(type_, found.grouped_field_set)


def strawberry_field(definition: GraphQLField) -> StrawberryField:
    """What Strawberry has made the field of."""
    return cast("StrawberryField", definition.extensions["strawberry-definition"])


def resolver(field: StrawberryField) -> tuple[Reads, Callable[[Any, Reader, dict[str, Any]], Any]]:
    """What is known of a field's resolver, and how to call it.

    Raises:
        Uncovered: nothing is known.
    """
    marked: Reads | None = field.metadata.get(Reads)
    if marked is None or field.base_resolver is None or field.extensions:
        raise Uncovered
    if marked.at_once is not None:
        at_once = marked.at_once
        return marked, lambda source, reader, asked: at_once(source, reader, **asked)
    plain = cast("Callable[..., object]", field.base_resolver.wrapped_func)
    if field.base_resolver.is_async:
        raise Uncovered
    if field.base_resolver.info_parameter is None:
        return marked, lambda source, reader, asked: plain(source, **asked)
    return marked, lambda source, reader, asked: plain(source, info=reader, **asked)


def arguments(
    schema: strawberry.Schema,
    definition: GraphQLField,
    details: list[FieldDetails],
    variables: VariableValues,
) -> dict[str, Any]:
    """The arguments of a field by the names that its resolver has for them."""
    if not definition.args:
        return {}
    given = get_argument_values(definition, details[0].node, variables)
    known = strawberry_field(definition).arguments
    return convert_arguments(given, known, schema.schema_converter.scalar_registry, schema.config)


def _is_execution(type_: GraphQLNamedType) -> bool:
    known: Any = type_.extensions.get("strawberry-definition")
    return getattr(known, "origin", None) is Execution


def _attribute(name: str, complete: Complete) -> Read:
    return lambda source, reader: complete(getattr(source, name), reader)


def _leaf(serialize: Callable[[Any], object]) -> Complete:
    def complete(value: Any, reader: Reader) -> object:
        serialized = serialize(value)
        if serialized is None or serialized is Undefined:
            raise Uncovered
        return serialized

    return complete


def _never_null(complete: Complete) -> Complete:
    def completed(value: Any, reader: Reader) -> object:
        if value is None:
            raise Uncovered
        return complete(value, reader)

    return completed


def _or_null(complete: Complete) -> Complete:
    return lambda value, reader: None if value is None else complete(value, reader)


def _each(complete: Complete) -> Complete:
    return lambda values, reader: [complete(value, reader) for value in values]


def _execution(selection: Selection) -> Complete:
    return lambda value, reader: reader.execution(selection, _of_core(value))


def _executions(selection: Selection) -> Complete:
    def complete(values: Sequence[Any], reader: Reader) -> object:
        return reader.executions(selection, [_of_core(value) for value in values])

    return complete


def _of_core(value: Any) -> Any:
    return value.core if isinstance(value, Execution) else value
