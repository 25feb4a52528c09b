"""Both doors, and executions that do not outlive their test."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from doors import Door, GraphQLDoor, RestDoor
from server_process import ServerProcess

Opening: TypeAlias = Callable[[ServerProcess], Door]


@pytest.fixture(params=["rest", "graphql"])
def opening(request: pytest.FixtureRequest) -> Opening:
    """Opens the door under test to any server."""
    kind = {"rest": RestDoor, "graphql": GraphQLDoor}[request.param]
    return lambda server: kind(server.client)


@pytest.fixture
def door(opening: Opening, server: ServerProcess) -> Door:
    """The door under test, to the common server."""
    return opening(server)


@pytest.fixture
def start(door: Door) -> Iterator[Callable[..., str]]:
    """Starts an execution; one that still runs after the test is cancelled."""
    started = []

    def starting(pipeline: str, input: object = "hello") -> str:
        started.append(door.start(pipeline, input))
        return started[-1]

    yield starting
    for id in started:
        door.cancel(id)
