"""Many sockets that follow one execution, each as it can."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from doors import GraphQLDoor
from runcast.server.connections.frames import Frames, text_frame
from server_process import ServerProcess
from torn_socket import PROTOCOL
from websockets.asyncio.client import ClientConnection, connect

PROGRESS = """subscription ($id: ID!) {
  executionProgress(id: $id) { event sequence status missedEvents }
}"""


@pytest.fixture
def graphql(server: ServerProcess) -> GraphQLDoor:
    return GraphQLDoor(server.client)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_are_whole(size: int) -> None:
    """However long the text is, its frame ends where its length says."""
    frame, frames = text_frame(b"x" * size), Frames()
    assert frames.piece(frame + frame, 0) == len(frame)
    assert frames.between
    assert frame.endswith(b"x" * size)


async def test_each_has_what_it_takes(server: ServerProcess, graphql: GraphQLDoor) -> None:
    """One reads late, one is torn off, one has enough: the others have every event, in order."""
    gate = uuid4().hex
    id = graphql.start("gate", gate)
    async with AsyncExitStack() as stack:
        sockets = [await following(stack, server.ws_url, id) for _ in range(6)]
        first = [await heard(socket) for socket in sockets]
        assert {one["payload"]["data"]["executionProgress"]["event"] for one in first} == {
            "SNAPSHOT"
        }
        *quick, late, torn, enough = sockets
        late.transport.pause_reading()
        torn.transport.abort()
        await enough.send('{"type": "complete", "id": "a"}')
        await enough.send('{"type": "ping"}')
        assert await heard(enough) == {"type": "pong"}
        graphql.start("key", gate)
        seen = [await whole(socket) for socket in quick]
        late.transport.resume_reading()
        seen.append(await whole(late))
        await enough.send('{"type": "ping"}')
        assert await heard(enough) == {"type": "pong"}, "nothing came of what it had completed"
    everything = {one["sequence"]: one for messages in seen for one in messages}
    for messages in seen:
        numbers = range(messages[0]["sequence"], max(everything) + 1)
        assert messages == [everything[number] for number in numbers]
        assert messages[-1]["status"] == "COMPLETED"


async def following(stack: AsyncExitStack, ws_url: str, id: str) -> ClientConnection:
    """A socket that has subscribed."""
    socket = await stack.enter_async_context(connect(ws_url, subprotocols=[PROTOCOL], proxy=None))
    await socket.send('{"type": "connection_init"}')
    assert await heard(socket) == {"type": "connection_ack"}
    payload = {"query": PROGRESS, "variables": {"id": id}}
    await socket.send(json.dumps({"type": "subscribe", "id": "a", "payload": payload}))
    return socket


async def heard(socket: ClientConnection) -> dict[str, Any]:
    """The next message that is not a ping; a TimeoutError after 60 s without one."""
    async with asyncio.timeout(60):
        while (message := json.loads(await socket.recv()))["type"] == "ping":
            await socket.send('{"type": "pong"}')
    return dict(message)


async def whole(socket: ClientConnection) -> list[dict[str, Any]]:
    """What comes until complete."""
    seen = []
    while (message := await heard(socket))["type"] == "next":
        assert message["id"] == "a"
        seen.append(message["payload"]["data"]["executionProgress"])
    assert message == {"id": "a", "type": "complete"}
    return seen
