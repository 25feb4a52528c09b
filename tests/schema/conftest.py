"""GraphQL as its clients speak it."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from deadlines import eventually
from doors import START, GraphQLDoor, Row
from server_process import ServerProcess

END = "query ($id: ID!) { execution(id: $id) { id endReason } }"


@pytest.fixture
def graphql(server: ServerProcess) -> GraphQLDoor:
    """A client of the common server."""
    return GraphQLDoor(server.client)


@pytest.fixture
def run(graphql: GraphQLDoor) -> Iterator[Callable[..., str]]:
    """Starts an execution; one that still runs after the test is cancelled."""
    started: list[str] = []

    def starting(pipeline: str, input: str = "hello") -> str:
        started.append(graphql.start(pipeline, input))
        return started[-1]

    yield starting
    for row in graphql.running():
        if row["id"] in started:
            graphql.cancel(row["id"])


@pytest.fixture
def ended(graphql: GraphQLDoor) -> Callable[[str], str]:
    """Waits until an execution has ended; its id."""

    def look(id: str) -> bool:
        found: Row = graphql.ask(END, id=id)["execution"]
        return found["endReason"] is not None

    def wait(id: str) -> str:
        eventually(lambda: look(id))
        return id

    return wait


@pytest.fixture
def marked(graphql: GraphQLDoor) -> Callable[..., str]:
    """Starts executions with labels."""

    def start(pipeline: str, input: str = "hello", **labels: str) -> str:
        pairs = [{"key": key, "value": value} for key, value in labels.items()]
        variables = {"pipelineId": pipeline, "input": input, "options": {"labels": pairs}}
        payload = graphql.ask(START, **variables)["startExecution"]
        assert payload["userErrors"] == []
        return str(payload["execution"]["id"])

    return start


@pytest.fixture
def five(marked: Callable[..., str], ended: Callable[[str], str]) -> tuple[Row, list[str]]:
    """A filter that finds five ended executions, and their ids, newest first."""
    word = uuid4().hex
    ids = [ended(marked("echo", f"number {n}", batch=word)) for n in range(5)]
    return {"labels": [{"key": "batch", "value": word}]}, ids[::-1]
