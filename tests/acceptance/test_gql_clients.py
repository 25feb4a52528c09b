"""Python's gql, each of its transports with its own defaults, through a restart of the server."""

from collections.abc import Callable
from typing import Any, TypeAlias

import patience
import pytest
from doors import GraphQLDoor
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from server_process import ServerProcess
from subscriptions import check_progress

Connect: TypeAlias = Callable[[ServerProcess], Any]

SOCKETS: dict[str, Connect] = {
    "websockets": lambda server: WebsocketsTransport(server.ws_url),
    "aiohttp websockets": lambda server: AIOHTTPWebsocketsTransport(server.ws_url),
}
TRANSPORTS: dict[str, Connect] = SOCKETS | {
    "httpx": lambda server: HTTPXAsyncTransport(f"{server.url}/graphql"),
    "aiohttp": lambda server: AIOHTTPTransport(f"{server.url}/graphql"),
}
QUERY = GraphQLRequest("{ server { engine } }")
WRONG = GraphQLRequest("{ server { nothing } }")
START = """mutation ($pipelineId: ID!) {
  startExecution(pipelineId: $pipelineId, input: "text") { execution { id } }
}"""
PROGRESS = """subscription ($id: ID!) {
  executionProgress(id: $id) { event sequence status execution { sequence status } }
}"""
SUBSCRIBERS = "{ server { subscribers } }"


def client(server: ServerProcess, name: str) -> Client:
    return Client(transport=TRANSPORTS[name](server), execute_timeout=60)


async def started(session: AsyncClientSession, pipeline: str) -> str:
    request = GraphQLRequest(START, variable_values={"pipelineId": pipeline})
    return str((await session.execute(request))["startExecution"]["execution"]["id"])


async def followed(session: AsyncClientSession, id: str) -> list[dict[str, Any]]:
    """Every message, until the library says that it is complete."""
    request = GraphQLRequest(PROGRESS, variable_values={"id": id})
    return [answer["executionProgress"] async for answer in session.subscribe(request)]


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_query_mutation_and_error(server: ServerProcess, name: str) -> None:
    """All three in one session: an error does not end it."""
    async with client(server, name) as session:
        with pytest.raises(TransportQueryError) as refused:
            await session.execute(WRONG)
        assert refused.value.errors is not None
        assert refused.value.errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}
        assert (await started(session, "echo")).startswith("exec_")


@pytest.mark.parametrize("name", SOCKETS)
async def test_subscription_to_completion(server: ServerProcess, name: str) -> None:
    """A whole run: a snapshot, no gap, one terminal message, the last."""
    async with client(server, name) as session:
        check_progress(await followed(session, await started(session, "several-v1")))


@pytest.mark.parametrize("name", SOCKETS)
async def test_early_unsubscribe(serve: Callable[..., ServerProcess], name: str) -> None:
    """Nobody is subscribed any more, and the execution runs on."""
    server = serve("--grace", "1")
    door = GraphQLDoor(server.client)
    async with client(server, name) as session:
        id = await started(session, "waiting")
        messages = session.subscribe(GraphQLRequest(PROGRESS, variable_values={"id": id}))
        assert (await anext(messages))["executionProgress"]["event"] == "SNAPSHOT"
        assert door.ask(SUBSCRIBERS)["server"]["subscribers"] == 1
        await messages.aclose()
        await patience.until(lambda: door.ask(SUBSCRIBERS)["server"]["subscribers"] == 0)
        assert [row["id"] for row in door.running()] == [id]
        assert door.cancel(id) == "CANCELLED"


@pytest.mark.parametrize("name", SOCKETS)
async def test_refused_subscription(server: ServerProcess, name: str) -> None:
    """An unknown execution is an error of that operation; the session goes on."""
    async with client(server, name) as session:
        with pytest.raises(TransportQueryError) as refused:
            await followed(session, "exec_1_none")
        assert refused.value.errors is not None
        assert refused.value.errors[0]["extensions"]["code"] == "NOT_FOUND"
        assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_after_a_restart(serve: Callable[..., ServerProcess], name: str) -> None:
    """The same client works with the server that has taken the first one's place."""
    first = serve()
    connection = client(first, name)
    async with connection as session:
        await session.execute(QUERY)
    first.end()
    second = serve("--port", first.url.rpartition(":")[2])
    async with connection as session:
        assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}
        id = await started(session, "several-v1")
        if name in SOCKETS:
            check_progress(await followed(session, id))
    assert second.url == first.url
