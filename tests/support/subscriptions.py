"""Subscriptions by a client library over a real socket, and what every one of them must hold to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.websockets import WebsocketsTransport

Message = dict[str, Any]

DEADLINE_SECONDS = 60.0
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}
PROGRESS = """
subscription ($id: ID!, $after: String, $includeOutput: Boolean! = true) {
  executionProgress(id: $id, after: $after, includeOutput: $includeOutput)
"""
STATE = """
  event id sequence cursor at status currentStage totalStages missedEvents
  stage { id index status attempt }
  execution { id status sequence endReason }
"""
TEXTS = """
  output { stageId offset text isFinal truncated }
  execution { error { type message stageId } stages { id status output { text } } }
"""
CHANGES = """
subscription ($filter: ExecutionFilter, $after: String) {
  executionsChanged(filter: $filter, after: $after) {
    change cursor execution { id status sequence } statusCounts { status count }
  }
}"""


class Socket:
    """One connection, which any number of operations may share."""

    def __init__(self, session: AsyncClientSession) -> None:
        self.session = session
        self._followed: list[AsyncGenerator[Message, None]] = []

    async def ask(self, document: str, **variables: object) -> Message:
        """The data of a query or a mutation."""
        return await self.session.execute(GraphQLRequest(document, variable_values=variables))

    def progress(
        self, id: str, fields: str = STATE + TEXTS, **variables: object
    ) -> AsyncGenerator[Message, None]:
        """The messages of `executionProgress`, until the server says complete."""
        document = f"{PROGRESS} {{ {fields} }} }}"
        return self._follow("executionProgress", document, id=id, **variables)

    def changes(self, **variables: object) -> AsyncGenerator[Message, None]:
        """The messages of `executionsChanged`."""
        return self._follow("executionsChanged", CHANGES, **variables)

    def _follow(
        self, field: str, document: str, **variables: object
    ) -> AsyncGenerator[Message, None]:
        self._followed.append(self._messages(field, document, variables))
        return self._followed[-1]

    async def _messages(
        self, field: str, document: str, variables: dict[str, object]
    ) -> AsyncGenerator[Message, None]:
        request = GraphQLRequest(document, variable_values=variables)
        async with aclosing(self.session.subscribe(request)) as answers:
            async for answer in answers:
                yield answer[field]

    async def close(self) -> None:
        """Ends what is still followed: the library waits 10 s for it when it closes."""
        for messages in self._followed:
            await messages.aclose()


@asynccontextmanager
async def connected(ws_url: str, **init_payload: str) -> AsyncIterator[Socket]:
    """A socket that is closed, with all that is followed over it, when the block is left."""
    transport = WebsocketsTransport(ws_url, init_payload=init_payload)
    async with Client(transport=transport) as session:
        socket = Socket(session)
        yield socket
        await socket.close()


async def whole(messages: AsyncIterator[Message]) -> list[Message]:
    """Every message up to complete; a TimeoutError if that does not come."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [message async for message in messages]


async def until(messages: AsyncIterator[Message], **wanted: object) -> list[Message]:
    """The messages up to the first one that has all these values."""
    seen = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for message in messages:
            seen.append(message)
            if wanted.items() <= message.items():
                return seen
    raise AssertionError(f"complete came before {wanted}: {seen}")


async def until_begun(messages: AsyncIterator[Message]) -> list[Message]:
    """The messages up to the first one in which a stage has put out `begun`."""
    seen: list[Message] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for message in messages:
            seen.append(message)
            stages = message["execution"]["stages"]
            if any("begun" in stage["output"]["text"] for stage in stages):
                return seen
    raise AssertionError(f"complete came before a stage had begun: {seen}")


def check_progress(messages: list[Message]) -> None:
    """A snapshot first, no gap and no duplicate, and one terminal message, which is the last."""
    assert messages[0]["event"] == "SNAPSHOT"
    check_contiguous(messages)
    ends = [message["sequence"] for message in messages if message["status"] in TERMINAL]
    assert ends == [messages[-1]["sequence"]], "one terminal message, the last"


def check_contiguous(messages: list[Message]) -> None:
    """Sequences rise by one, and each message carries the state as of its own."""
    first = messages[0]["sequence"]
    sequences = [message["sequence"] for message in messages]
    assert sequences == list(range(first, first + len(messages)))
    for message in messages:
        assert message["execution"]["sequence"] == message["sequence"]
        assert message["execution"]["status"] == message["status"]
