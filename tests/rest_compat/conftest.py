"""REST as its clients speak it."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from deadlines import eventually
from doors import Row
from server_process import ServerProcess


@pytest.fixture
def rest(server: ServerProcess) -> httpx.Client:
    """A client of the common server."""
    return server.client


@pytest.fixture
def run(rest: httpx.Client) -> Iterator[Callable[..., str]]:
    """Starts an execution; one that still runs after the test is cancelled."""
    started: list[str] = []

    def starting(pipeline: str, input: str = "hello") -> str:
        answer = rest.post(f"/api/pipelines/{pipeline}/run", json={"input": input})
        started.append(answer.raise_for_status().json()["executionId"])
        return started[-1]

    yield starting
    for id in started:
        rest.post(f"/api/executions/{id}/cancel")


@pytest.fixture
def ended(rest: httpx.Client) -> Callable[[str], Row]:
    """The detail answer of an execution once it has a result."""

    def look(id: str) -> Row | None:
        detail: Row = rest.get(f"/api/executions/{id}").json()
        return detail if "result" in detail else None

    return lambda id: eventually(lambda: look(id))
