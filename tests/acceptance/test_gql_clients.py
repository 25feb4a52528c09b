"""Python's gql, each of its transports with its own defaults, through a restart of the server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
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
from server_process import ENDS_SOON, ServerProcess
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
START = """mutation ($pipelineId: ID!) {
  startExecution(pipelineId: $pipelineId, input: "text") { execution { id } }
}"""
PROGRESS = """subscription ($id: ID!) {
  executionProgress(id: $id) { event sequence status execution { sequence status } }
}"""
CANCEL = GraphQLRequest(
    'mutation { cancelExecution(id: "exec_1_none") { cancelled userErrors { code } } }'
)


class Unparsed(GraphQLRequest):
    """A text that is sent as it is: by itself the library sends only what it has parsed."""

    @property
    def payload(self) -> dict[str, Any]:
        return {"query": "{ server {"}


WRONG = {
    "GRAPHQL_VALIDATION_FAILED": GraphQLRequest("{ server { nothing } }"),
    "GRAPHQL_PARSE_FAILED": Unparsed(QUERY),
    "BAD_USER_INPUT": GraphQLRequest(START, variable_values={}),
}


def client(server: ServerProcess, name: str) -> Client:
    return Client(transport=TRANSPORTS[name](server), execute_timeout=60)


async def started(session: AsyncClientSession, pipeline: str) -> str:
    request = GraphQLRequest(START, variable_values={"pipelineId": pipeline})
    return str((await session.execute(request))["startExecution"]["execution"]["id"])


async def followed(session: AsyncClientSession, id: str) -> list[dict[str, Any]]:
    """Every message, until the library says that it is complete."""
    request = GraphQLRequest(PROGRESS, variable_values={"id": id})
    return [answer["executionProgress"] async for answer in session.subscribe(request)]


def subscribers(server: ServerProcess) -> int:
    """How many subscriptions it serves."""
    found = GraphQLDoor(server.client).ask("{ server { subscribers } }")
    return int(found["server"]["subscribers"])


async def check_refused(answer: Any, code: str) -> None:
    """The library raises the server's error, with its code."""
    with pytest.raises(TransportQueryError) as refused:
        await answer
    assert refused.value.errors is not None
    assert refused.value.errors[0]["extensions"]["code"] == code


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_query_and_mutation(server: ServerProcess, name: str) -> None:
    """Data of both; a use case that is refused says so in the data."""
    async with client(server, name) as session:
        assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}
        assert (await started(session, "echo")).startswith("exec_")
        refused = {"cancelled": False, "userErrors": [{"code": "NOT_FOUND"}]}
        assert (await session.execute(CANCEL))["cancelExecution"] == refused


@pytest.mark.parametrize("code", WRONG)
@pytest.mark.parametrize("name", TRANSPORTS)
async def test_error(server: ServerProcess, name: str, code: str) -> None:
    """The library sees the code, and the session goes on."""
    async with client(server, name) as session:
        await check_refused(session.execute(WRONG[code]), code)
        assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}


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
        assert subscribers(server) == 1
        await messages.aclose()
        await patience.until(lambda: subscribers(server) == 0)
        assert [row["id"] for row in door.running()] == [id]
        assert door.cancel(id) == "CANCELLED"


@pytest.mark.parametrize("name", SOCKETS)
async def test_refused_subscription(server: ServerProcess, name: str) -> None:
    """An unknown execution is an error of that operation; the session goes on."""
    async with client(server, name) as session:
        await check_refused(followed(session, "exec_1_none"), "NOT_FOUND")
        assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}


@asynccontextmanager
async def reconnecting(server: ServerProcess, name: str) -> AsyncIterator[AsyncClientSession]:
    """A session that the library itself connects again when its connection is gone."""
    connection = client(server, name)
    try:
        yield await connection.connect_async(reconnecting=True)
    finally:
        await connection.close_async()


async def test_restart(serve: Callable[..., ServerProcess]) -> None:
    """Each session lives through it; what it followed ends with the first server, complete."""
    first = serve("--grace", "1", hurry=ENDS_SOON)
    async with AsyncExitStack() as stack:
        sessions = {
            name: await stack.enter_async_context(reconnecting(first, name)) for name in TRANSPORTS
        }
        following = [
            asyncio.create_task(followed(session, await started(session, "waiting")))
            for session in map(sessions.__getitem__, SOCKETS)
        ]
        await patience.until(lambda: subscribers(first) == len(SOCKETS))
        await asyncio.to_thread(first.end)
        for each in following:
            check_progress(await each)
        second = await asyncio.to_thread(serve, "--port", first.url.rpartition(":")[2])
        assert second.url == first.url
        for name, session in sessions.items():
            assert await session.execute(QUERY) == {"server": {"engine": "embedded"}}
            id = await started(session, "several-v1")
            if name in SOCKETS:
                check_progress(await followed(session, id))
