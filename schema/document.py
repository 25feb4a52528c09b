"""Documents that clients send: parsed, measured, validated once, and cached."""

from collections.abc import Collection
from dataclasses import dataclass

from cachetools import LRUCache
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from .compiled.plan import deciding, fragments_of
from .limits import Limits
from .measure import LIMIT_EXCEEDED, check, limit_exceeded
from .source import DocumentSource

MOST_ERRORS = 5
CACHED_TOKENS = 50_000
"""The size of the cache; a token with its node takes about 1 KB of memory."""
CHARACTERS_A_TOKEN = 64
INTROSPECTION = ("__schema", "__type")


class RequestError(Exception):
    """A request error (section 7.1.2 of the GraphQL specification): nothing was run."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(errors[0].message)
        self.errors = errors[:MOST_ERRORS]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """What of a document is to be run. The document is valid.

    The same text has the same operations, as long as it is cached.
    """

    document: DocumentNode
    definition: OperationDefinitionNode
    asks_about_the_schema: bool
    """It needs nothing but the schema to be answered."""
    deciding: tuple[str, ...]
    """The variables that decide how it is read; see `compiled`."""
    size: int
    """Of the document, as in `CACHED_TOKENS`."""

    @property
    def kind(self) -> OperationType:
        return self.definition.operation

    @property
    def name(self) -> str | None:
        return None if self.definition.name is None else self.definition.name.value


class Documents:
    """`read` gives the operation of a text; only valid documents are cached.

    The cache is bounded by tokens, not by documents: one may be a thousand times another.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, introspection: bool) -> None:
        self._schema = schema
        self._limits = limits
        self._hide_suggestions = not introspection
        self._rules: Collection[type[ASTValidationRule]] = specified_rules
        if not introspection:
            self._rules = (*specified_rules, NoSchemaIntrospectionCustomRule)
        self._valid: LRUCache[str, _Valid] = LRUCache(CACHED_TOKENS, getsizeof=_Valid.size)

    def read(self, text: str, operation_name: str | None = None) -> Operation:
        """The operation of that name, or the only one.

        Raises:
            RequestError: the text is no valid document, too large, or has no such operation.
        """
        valid = self._valid.get(text)
        if valid is None:
            document = self._parsed(text)
            self._validate(document)
            valid = _Valid(document)
            if valid.size() <= CACHED_TOKENS:
                self._valid[text] = valid
        return valid.operation(operation_name)

    def _parsed(self, text: str) -> DocumentNode:
        limit = self._limits.max_tokens
        if len(text) > self._limits.max_characters:
            raise RequestError(limit_exceeded(self._limits, "max_characters", "characters"))
        try:
            # Comments are no tokens to the parser, and cost as much.
            document = parse(DocumentSource(text), max_lexical_tokens=limit, max_comments=limit)
            check(document, self._limits)
        except GraphQLSyntaxError as error:
            if "Document contains more than" in error.message:
                raise RequestError(limit_exceeded(self._limits, "max_tokens", "tokens")) from None
            raise RequestError(coded(error, "GRAPHQL_PARSE_FAILED")) from None
        except GraphQLError as error:
            raise RequestError(error) from None
        return document

    def _validate(self, document: DocumentNode) -> None:
        errors = validate(
            self._schema,
            document,
            self._rules,
            max_errors=MOST_ERRORS,
            hide_suggestions=self._hide_suggestions,
        )
        if errors:
            raise RequestError(*(coded(error, "GRAPHQL_VALIDATION_FAILED") for error in errors))


class _Valid:
    """A valid document with those of its operations that were asked for."""

    def __init__(self, document: DocumentNode) -> None:
        self.document = document
        self._operations: dict[str | None, Operation] = {}

    def operation(self, name: str | None) -> Operation:
        """
        Raises:
            RequestError: as `Documents.read`.
        """
        found = self._operations.get(name)
        if found is None:
            found = self._operations[name] = self._read(_chosen(self.document, name))
        return found

    def size(self) -> int:
        """What it costs, in tokens; a very long token counts as several."""
        length = 0 if self.document.loc is None else self.document.loc.end
        return self.document.token_count + length // CHARACTERS_A_TOKEN

    def _read(self, definition: OperationDefinitionNode) -> Operation:
        return Operation(
            self.document,
            definition,
            _asks_about_the_schema(self.document, definition),
            deciding(self.document, definition),
            self.size(),
        )


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """GetOperation, section 6.1 of the GraphQL specification."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if name is None and len(operations) == 1:
        return operations[0]
    for operation in operations:
        if name is not None and operation.name is not None and operation.name.value == name:
            return operation
    if name is not None:
        message = f"There is no operation {name!r:.80} in the document"
    elif operations:
        message = "The document has several operations: name one as operationName"
    else:
        message = "There is no operation in the document"
    raise RequestError(GraphQLError(message, extensions={"code": "OPERATION_RESOLUTION_FAILURE"}))


def _asks_about_the_schema(document: DocumentNode, definition: OperationDefinitionNode) -> bool:
    asked = _root_fields(document, definition)
    if not asked.isdisjoint(INTROSPECTION) and not asked <= {*INTROSPECTION, "__typename"}:
        # What the schema answers cannot be interrupted, and may take 100 ms.
        message = f"Ask for {' and '.join(INTROSPECTION)} in an operation of their own"
        raise RequestError(GraphQLError(message, extensions={"code": LIMIT_EXCEEDED}))
    return not asked.isdisjoint(INTROSPECTION)


def _root_fields(document: DocumentNode, definition: OperationDefinitionNode) -> set[str]:
    """The names of the fields at the top, those in fragments too."""
    fragments = fragments_of(document)
    names, heap = set[str](), [*definition.selection_set.selections]
    while heap:
        selection = heap.pop()
        if isinstance(selection, FieldNode):
            names.add(selection.name.value)
        elif isinstance(selection, InlineFragmentNode):
            heap += selection.selection_set.selections
        elif isinstance(selection, FragmentSpreadNode):
            # Once is enough.
            fragment = fragments.pop(selection.name.value, None)
            heap += [] if fragment is None else fragment.selection_set.selections
    return names


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """The same error, with this code unless it has one."""
    error.extensions = {"code": code} | (error.extensions or {})
    return error
