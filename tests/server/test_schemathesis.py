"""Whatever fits the schema, and what nearly does: schemathesis asks, and looks at the answers."""

from collections.abc import Iterator
from typing import Any

import graphql
import pytest
from doors import GraphQLDoor
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.graphql.loaders import from_url
from schemathesis.specs.graphql.schemas import GraphQLSchema
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    response_schema_conformance,
)
from server_process import ServerProcess, serving

MEDIA_TYPES = ["application/json", "application/graphql-response+json"]
PIPELINES = ["echo", "failing", "several", "talking"]
NAMES_OF_IDS = {"id", "pipelineId", "retryOf"}
NO_DATA = {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "LIMIT_EXCEEDED"}
REFUSED = {"INVALID_INPUT", "NOT_FOUND", "LIMIT_EXCEEDED"}
"""By a resolver. What a mutation refuses is no error but a `userError`."""
SLOW = list(HealthCheck)
"""To make a query takes long, and that is all there is to say about it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One of its own: what is started there is nobody else's."""
    with serving(tmp_path_factory.mktemp("asked"), "--grace", "1") as server:
        yield server


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> GraphQLSchema:
    """The schema as the server says that it is."""
    return from_url(f"{server.url}/graphql", config=SchemathesisConfig())


@pytest.fixture(scope="module")
def ids(server: ServerProcess) -> list[str]:
    """Of pipelines and executions that are there: by chance none is ever found."""
    door = GraphQLDoor(server.client)
    return PIPELINES + [door.start(pipeline, "hello") for pipeline in PIPELINES]


def answers_in_graphql(_: CheckContext, response: Response, case: Case) -> None:
    """The response format of the GraphQL specification, section 7, in the type that was wanted."""
    assert response.headers["content-type"] == [f"{accepted(case)}; charset=utf-8"]
    answer = response.json()
    assert answer.keys() <= {"data", "errors", "extensions"}
    assert answer.keys() & {"data", "errors"}
    assert answer.get("errors") != []
    for error in answer.get("errors", []):
        assert error.keys() <= {"message", "locations", "path", "extensions"}
        assert error["message"] and isinstance(error["message"], str)
        assert all(place["line"] > 0 < place["column"] for place in error.get("locations", []))
        assert "data" in answer or "path" not in error


def is_answered(_: CheckContext, response: Response, case: Case) -> None:
    """What fits the schema is carried out, or refused for a value of it."""
    answer = response.json()
    assert response.status_code == 200, answer
    assert "data" in answer
    assert codes(answer) <= REFUSED, answer


def is_refused(_: CheckContext, response: Response, case: Case) -> None:
    """What does not fit has no data; its status is as GraphQL over HTTP has it."""
    answer = response.json()
    assert response.status_code == (200 if accepted(case) == MEDIA_TYPES[0] else 400), answer
    assert "data" not in answer
    assert codes(answer) <= NO_DATA, answer


def accepted(case: Case) -> str:
    return str(case.headers["Accept"])


def codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer.get("errors", [])}


def aimed(query: str, ids: Iterator[str]) -> str:
    """The query with these ids in it."""

    class Aim(graphql.Visitor):
        def enter_argument(self, node: graphql.ArgumentNode, *_: object) -> graphql.ArgumentNode:
            if node.name.value not in NAMES_OF_IDS or (id := next(ids, None)) is None:
                return node
            value = graphql.StringValueNode(value=id)
            return graphql.ArgumentNode(name=node.name, value=value)

    return graphql.print_ast(graphql.visit(graphql.parse(query), Aim()))


@pytest.mark.parametrize("examples", [150, pytest.param(2000, marks=pytest.mark.campaign)])
def test_what_fits_the_schema(
    server: ServerProcess, api: GraphQLSchema, ids: list[str], examples: int
) -> None:
    """Every field with every argument has an answer, and it is what the schema promises."""

    @settings(max_examples=examples, suppress_health_check=SLOW)
    @given(
        api.as_strategy(generation_mode=GenerationMode.POSITIVE),
        st.sampled_from(MEDIA_TYPES),
        st.lists(st.sampled_from(ids), max_size=2),
    )
    def ask(case: Case, media_type: str, some: list[str]) -> None:
        case.body = aimed(str(case.body), iter(some))
        case.headers["Accept"] = media_type
        case.call_and_validate(
            checks=[answers_in_graphql, is_answered, response_schema_conformance]
        )

    ask()
    is_well(server)


@pytest.mark.parametrize("examples", [80, pytest.param(1000, marks=pytest.mark.campaign)])
def test_what_does_not_fit_the_schema(
    server: ServerProcess, api: GraphQLSchema, examples: int
) -> None:
    """Arguments of a wrong type, and those that are missing, are refused; nothing is done."""

    @settings(max_examples=examples, suppress_health_check=SLOW)
    @given(api.as_strategy(generation_mode=GenerationMode.NEGATIVE), st.sampled_from(MEDIA_TYPES))
    def ask(case: Case, media_type: str) -> None:
        # A field that has no arguments cannot be asked for wrongly.
        assume(case.meta is not None and case.meta.generation.mode.is_negative)
        case.headers["Accept"] = media_type
        case.call_and_validate(checks=[answers_in_graphql, is_refused, negative_data_rejection])

    ask()
    is_well(server)


def is_well(server: ServerProcess) -> None:
    """It answers, and nothing went wrong in it."""
    assert server.client.get("/healthz").json() == {"status": "ok"}
    assert "Traceback" not in server.complained
