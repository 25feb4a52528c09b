"""GraphQL queries as Hypothesis makes them up: valid, with all that a document can have in it."""

from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

IDS = ("exec_0", "exec_1", "exec_2", "exec_9")
STATUSES = ("QUEUED", "RUNNING", "COMPLETED")
MOST_DEPTH = 4

VARIABLES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "yes": ("Boolean!", st.booleans()),
    "maybe": ("Boolean! = true", st.booleans()),
    "id": ("ID!", st.sampled_from([*IDS, 7])),
    "limit": ("Int", st.sampled_from([None, -1, 0, 1, 2])),
    "status": ("ExecutionStatus", st.sampled_from([None, *STATUSES, "NONE"])),
    "word": ("String", st.sampled_from([None, "", "e"])),
    "part": ("Int! = 3", st.sampled_from([-1, 0, 2])),
    "filter": (
        "ExecutionFilter = {}",
        st.sampled_from([None, {"status": ["RUNNING"]}, {"text": "demo"}, {"text": "x" * 201}]),
    ),
}
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "executions": (
        "",
        "(status: $status)",
        "(limit: $limit)",
        "(limit: 2, status: RUNNING)",
        "(limit: -1)",
        "(filter: $filter)",
        '(filter: {pipelineId: ["demo"], notStatus: [RUNNING], text: $word})',
        '(filter: {startedAfter: "1970-01-01T00:00:01.500Z"})',
    ),
    "execution": ("(id: $id)", *(f'(id: "{id}")' for id in IDS)),
    "executionsConnection": (
        "",
        "(first: $limit)",
        "(last: 1)",
        "(first: 1, last: 1)",
        "(first: 2, filter: $filter)",
        "(orderBy: {field: PIPELINE_NAME, direction: ASC})",
        "(orderBy: {field: DURATION})",
        '(after: "off")',
        "(includeHistory: true)",
    ),
    "server": ("",),
    "historyProblems": ("",),
    "pipelines": ("",),
    "pipeline": ('(id: "echo")',),
    "node": ("(id: $id)",),
    "output": ("", "(offset: $part)", "(offset: 1, limit: 2)", "(limit: -1)"),
    "log": ("", "(limit: $part)"),
}
COMMON = ("executions", "execution", "executionsConnection") * 4
DIRECTIVES = ("@include(if: true)", "@skip(if: false)", "@include(if: $yes)", "@skip(if: $maybe)")


@dataclass(slots=True)
class Question:
    """A document and what goes with it."""

    text: str
    variables: dict[str, Any]


@dataclass(slots=True)
class _Writer:
    schema: GraphQLSchema
    draw: DrawFn
    fragments: list[str] = field(default_factory=list)

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(1, of)) == 1

    def query(self) -> str:
        root = self.schema.query_type
        assert root is not None
        fields = " ".join(self.root_field(root) for _ in range(self.draw(st.integers(1, 3))))
        return f"{{ {fields} }} {' '.join(self.fragments)}"

    def root_field(self, root: GraphQLObjectType) -> str:
        others = [name for name in root.fields if name not in COMMON]
        name = self.draw(st.sampled_from([*COMMON, *others]))
        return self.spread(root, self.field(root, name, depth=1))

    def selections(self, type: GraphQLObjectType, depth: int) -> str:
        names = [
            name
            for name, one in type.fields.items()
            if depth < MOST_DEPTH or is_leaf_type(get_named_type(one.type))
        ]
        chosen = self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=5))
        written = [self.spread(type, self.field(type, name, depth)) for name in chosen]
        if self.chance(4):
            written.append("__typename")
        if type.interfaces and self.chance(3):
            written.append(f"... on {type.interfaces[0].name} {{ id }}")
        return " ".join(written)

    def field(self, type: GraphQLObjectType, name: str, depth: int) -> str:
        choices = ARGUMENTS.get(name, ("",)) if type.fields[name].args else ("",)
        given = self.draw(st.integers(0, len(choices) - 1))
        # The same name in one place always means the same.
        alias = f"{name}{given}: " if given or self.chance(4) else ""
        written = f"{alias}{name}{choices[given]} {self.directive()}"
        below = get_named_type(type.fields[name].type)
        if is_leaf_type(below):
            return written
        if not isinstance(below, GraphQLObjectType):
            return f"{written} {{ id __typename ... on Execution {{ status }} }}"
        return f"{written} {{ {self.selections(below, depth + 1)} }}"

    def directive(self) -> str:
        return self.draw(st.sampled_from(DIRECTIVES)) if self.chance(6) else ""

    def spread(self, type: GraphQLObjectType, selection: str) -> str:
        """The selection as it is, or by a fragment."""
        match self.draw(st.integers(0, 9)):
            case 0:
                return f"... on {type.name} {self.directive()} {{ {selection} }}"
            case 1:
                return f"... {self.directive()} {{ {selection} }}"
            case 2:
                name = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {type.name} {{ {selection} }}")
                return f"...{name} {self.directive()}"
        return selection


@st.composite
def questions(draw: DrawFn, schema: GraphQLSchema) -> Question:
    """A query, which is named at times, with values for most of its variables; at times wrong."""
    selections = _Writer(schema, draw).query()
    used = [name for name in VARIABLES if f"${name}" in selections]
    defined = ", ".join(f"${name}: {VARIABLES[name][0]}" for name in used)
    text = f"query Asked{f'({defined})' if defined else ''} {selections}"
    values = {name: draw(VARIABLES[name][1]) for name in used if draw(st.integers(0, 5))}
    return Question(text, values)
