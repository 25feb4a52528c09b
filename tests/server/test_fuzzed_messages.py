"""Messages and bodies that nearly are some, at random: they are read, or refused in words.

Hypothesis looks for those that run through more lines of the readers than others.
"""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st, target
from mutated import mutated
from runcast.core import json_text, json_value
from runcast.server.graphql import message, request
from runcast.server.graphql.message import Complete, Subscribe, read_message
from runcast.server.graphql.request import BadRequest, GraphQLRequest
from visited_lines import VisitedLines

READERS: tuple[ModuleType, ...] = (message, request, json_value, json_text)
TYPES = ["connection_init", "ping", "pong", "subscribe", "complete", "next", "", None, 5, []]
QUERY = "query ($id: ID!) { execution(id: $id) { id } }"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "query": st.just(QUERY) | VALUES,
        "variables": VALUES,
        "operationName": VALUES,
        "extensions": VALUES,
    },
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES),
        "id": st.text(max_size=3) | VALUES,
        "payload": PARAMETERS | VALUES,
    },
)
TOKENS = [
    *(b'{ } [ ] : , " \\ \\u \\ud83d \\udca9 null NaN -Infinity 1e999 -0 1e-400'.split()),
    b"9" * 19,
    b"9" * 401,
    b"[" * 1100,
    b'{"a":' * 1100,
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    "\ufeff".encode(),
]
EXAMPLES = pytest.mark.parametrize(
    "examples", [200, pytest.param(1000, marks=pytest.mark.campaign)]
)


def spelled(value: object) -> bytes:
    return json.dumps(value).encode()


def text(data: bytes) -> str:
    """As a client can send it: what is not UTF-8 does not come so far."""
    return data.decode(errors="replace")


def guided(read: Callable[[], Any], label: str = "") -> Any:
    """What is read, or None where it is refused with a reason; the more lines, the better."""
    visited = VisitedLines(*READERS)
    try:
        with visited:
            return read()
    except BadRequest as refusal:
        assert str(refusal).encode()
        return None
    finally:
        target(float(len(visited)), label=label)


@EXAMPLES
def test_messages(examples: int) -> None:
    """A text is one of the five messages, or BadRequest, and nothing else is raised."""

    @settings(max_examples=examples)
    @given(mutated(MESSAGES.map(spelled), TOKENS))
    def read(data: bytes) -> None:
        found = guided(lambda: read_message(text(data)))
        if isinstance(found, Subscribe | Complete):
            assert isinstance(found.id, str) and found.id
        if isinstance(found, Subscribe):
            has_its_types(found.request)

    read()


@EXAMPLES
def test_bodies(examples: int) -> None:
    """The same of a body, which need not be UTF-8, and of parameters in an address."""

    @settings(max_examples=examples)
    @given(
        mutated((PARAMETERS | VALUES).map(spelled), TOKENS),
        st.dictionaries(st.sampled_from(["query", "variables", "extensions"]), st.text()),
    )
    def read(data: bytes, address: dict[str, str]) -> None:
        parameters = address | {"variables": text(data)}
        for found in (
            guided(lambda: GraphQLRequest.from_body(data), "a body"),
            guided(lambda: GraphQLRequest.from_address(parameters), "an address"),
        ):
            if found is not None:
                has_its_types(found)

    read()


def has_its_types(request: GraphQLRequest) -> None:
    assert isinstance(request.query, str)
    assert request.variables is None or isinstance(request.variables, dict)
    assert request.operation_name is None or isinstance(request.operation_name, str)
