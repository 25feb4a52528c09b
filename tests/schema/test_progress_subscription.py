"""Following one execution, by a client library over a real socket."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import patience
import pytest
from doors import CANCEL, GraphQLDoor
from gql.transport.exceptions import TransportQueryError
from server_process import ServerProcess
from subscriptions import (
    STATE,
    Message,
    check_contiguous,
    check_progress,
    connected,
    until,
    whole,
)

Run = Callable[..., str]
Ended = Callable[[str], str]


async def test_whole_run(server: ServerProcess, run: Run) -> None:
    """Snapshot first, every event in order, one terminal message at the end, then complete."""
    gate = uuid4().hex
    id = run("gate", gate)
    async with connected(server.ws_url) as socket:
        messages = socket.progress(id)
        seen = [await anext(messages)]
        run("key", gate)
        seen += await whole(messages)
    check_progress(seen)
    assert (seen[-1]["status"], seen[-1]["execution"]["endReason"]) == ("COMPLETED", "FINISHED")
    assert {message["id"] for message in seen} == {id}
    assert all(message["cursor"].endswith(f":{message['sequence']}") for message in seen)
    assert [message["at"] for message in seen] == sorted(message["at"] for message in seen)


async def test_stage_messages(server: ServerProcess, run: Run) -> None:
    """A stage is told to begin and to complete, in the order of the pipeline."""
    gate = uuid4().hex
    id = run("gate", gate)
    async with connected(server.ws_url) as socket:
        messages = socket.progress(id)
        seen = [await anext(messages)]
        run("key", gate)
        seen += await whole(messages)
    told = [(one["stage"]["id"], one["stage"]["status"]) for one in seen if one["stage"]]
    places = {one["stage"]["id"]: one["stage"]["index"] for one in seen if one["stage"]}
    assert places.items() <= {"before": 0, "wait": 1, "after": 2}.items() and len(places) >= 2
    assert told.index(("wait", "COMPLETED")) < told.index(("after", "RUNNING"))
    assert told[-1] == ("after", "COMPLETED")
    assert all((one["stage"] is None) == (one["event"] in ALONE) for one in seen)
    assert all((one["output"] is None) == (one["event"] != "OUTPUT") for one in seen)


ALONE = ("SNAPSHOT", "STATUS_CHANGED", "RESET")


async def test_output_adds_up(server: ServerProcess, run: Run) -> None:
    """The pieces of the output, put together, are the output, each with its place in it."""
    id = run("chatty", "300")
    async with connected(server.ws_url) as socket:
        seen = await whole(socket.progress(id))
    check_progress(seen)
    text = seen[0]["execution"]["stages"][0]["output"]["text"]
    for message in seen:
        if message["output"] is not None:
            assert message["output"]["offset"] == len(text)
            text += message["output"]["text"]
    assert text == "".join(f"line {number}\n" for number in range(300))
    assert len(seen) > 6, "it was streamed, and not told at the end"


async def test_late_subscriber(server: ServerProcess, run: Run, ended: Ended) -> None:
    """Who comes after the end gets the snapshot, and complete."""
    id = ended(run("echo"))
    async with connected(server.ws_url) as socket:
        [message] = await whole(socket.progress(id))
    assert (message["event"], message["status"]) == ("SNAPSHOT", "COMPLETED")


async def test_after_a_cursor(server: ServerProcess, run: Run, ended: Ended) -> None:
    """After a cursor comes exactly what followed it, with no snapshot and no gap."""
    id = run("chatty", "100")
    async with connected(server.ws_url) as socket:
        messages = socket.progress(id)
        seen = [await anext(messages) for _ in range(3)]
        await messages.aclose()  # type: ignore[attr-defined]
    async with connected(server.ws_url) as socket:
        rest = await whole(socket.progress(id, after=seen[-1]["cursor"]))
        again = await whole(socket.progress(id, after=seen[-1]["cursor"]))
    check_progress(seen + rest)
    assert rest == again
    assert "SNAPSHOT" not in [message["event"] for message in rest]


async def test_after_the_last(server: ServerProcess, run: Run, ended: Ended) -> None:
    """After the cursor of the end there is nothing but complete."""
    id = ended(run("echo"))
    async with connected(server.ws_url) as socket:
        [message] = await whole(socket.progress(id))
        assert await whole(socket.progress(id, after=message["cursor"])) == []


@pytest.mark.parametrize(("cursor", "missed"), [("another:1", None), ("{epoch}:999", None)])
async def test_unknown_cursor(
    server: ServerProcess, run: Run, ended: Ended, cursor: str, missed: int | None
) -> None:
    """A cursor of another server's life, or of the future, is told by a RESET with the state."""
    id = ended(run("echo"))
    async with connected(server.ws_url) as socket:
        [snapshot] = await whole(socket.progress(id))
        after = cursor.format(epoch=snapshot["cursor"].split(":")[0])
        [reset] = await whole(socket.progress(id, after=after))
    assert (reset["event"], reset["missedEvents"]) == ("RESET", missed)
    assert reset["execution"] == snapshot["execution"]


async def test_without_output(server: ServerProcess, run: Run) -> None:
    """With includeOutput: false there are no OUTPUT messages, and all the others."""
    id = run("chatty", "100")
    async with connected(server.ws_url) as socket:
        both = [socket.progress(id), socket.progress(id, includeOutput=False)]
        every, some = await asyncio.gather(*map(whole, both))
    assert "OUTPUT" in [message["event"] for message in every]
    assert [message["event"] for message in some] == ["SNAPSHOT", "STAGE_CHANGED", "STATUS_CHANGED"]
    assert some[1:] == [one for one in every if one["sequence"] in _sequences(some[1:])]


async def test_unknown_execution(server: ServerProcess) -> None:
    """An unknown id is an error of the operation, with its code and before any message."""
    async with connected(server.ws_url) as socket:
        with pytest.raises(TransportQueryError) as refused:
            await whole(socket.progress("exec_1_a"))
    [error] = refused.value.errors or []
    assert error["message"] == "Execution not found"
    assert error["extensions"]["code"] == "NOT_FOUND"


async def test_strange_cursor(server: ServerProcess, run: Run) -> None:
    """What is no cursor is an error of the operation; others on the socket go on."""
    id = run("waiting")
    async with connected(server.ws_url) as socket:
        other = socket.progress(id)
        await anext(other)
        with pytest.raises(TransportQueryError) as refused:
            await whole(socket.progress(id, after="nonsense"))
        await socket.ask(CANCEL, id=id)
        assert (await until(other, status="CANCELLED"))[-1]["event"] == "STATUS_CHANGED"
    [error] = refused.value.errors or []
    assert error["extensions"]["code"] == "INVALID_INPUT"


async def test_disconnect_cancels_nothing(
    server: ServerProcess, graphql: GraphQLDoor, run: Run
) -> None:
    """When every reader is gone the execution goes on, and a new one sees it as it is."""
    gate = uuid4().hex
    id = run("gate", gate)
    async with AsyncExitStack() as sockets:
        for _ in range(5):
            socket = await sockets.enter_async_context(connected(server.ws_url))
            await anext(socket.progress(id))
    assert id in [row["id"] for row in graphql.running()]
    async with connected(server.ws_url) as socket:
        messages = socket.progress(id)
        seen = await until(messages, currentStage=2)
        assert seen[0]["event"] == "SNAPSHOT"
        run("key", gate)
        seen += await whole(messages)
    check_progress(seen)
    assert seen[-1]["status"] == "COMPLETED"


async def test_abrupt_disconnect(server: ServerProcess, graphql: GraphQLDoor, run: Run) -> None:
    """A socket that is torn off, without a word, leaves no reader behind and cancels nothing."""
    id = run("waiting")
    before = _subscribers(graphql)
    async with connected(server.ws_url) as socket:
        await anext(socket.progress(id))
        assert _subscribers(graphql) == before + 1
        socket.session.transport.adapter.websocket.transport.abort()  # type: ignore[attr-defined]
        await patience.until(lambda: _subscribers(graphql) == before)
    assert id in [row["id"] for row in graphql.running()]


async def test_two_hundred_at_once(server: ServerProcess, run: Run) -> None:
    """200 executions at once, each with a reader of its own on four sockets, all end correctly."""
    gate = uuid4().hex
    ids = [run("gate", gate) for _ in range(200)]
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(server.ws_url)) for _ in range(4)]
        readers = [sockets[n % 4].progress(id, STATE) for n, id in enumerate(ids)]
        begun = await asyncio.gather(*(until(one, currentStage=2) for one in readers))
        run("key", gate)
        ends = await asyncio.gather(*(whole(one) for one in readers))
    for id, start, end in zip(ids, begun, ends, strict=True):
        messages = start + end
        check_progress(messages)
        assert {message["id"] for message in messages} == {id}
        assert messages[-1]["status"] == "COMPLETED"


async def test_many_readers_of_one(server: ServerProcess, run: Run) -> None:
    """Many readers of one execution are all told the same."""
    gate = uuid4().hex
    id = run("gate", gate)
    async with connected(server.ws_url) as socket:
        readers = [socket.progress(id) for _ in range(50)]
        await asyncio.gather(*(until(one, currentStage=2) for one in readers))
        run("key", gate)
        ends = await asyncio.gather(*(whole(one) for one in readers))
    newest: list[Message] = min(ends, key=len)
    check_contiguous(newest)
    assert all(end[-len(newest) :] == newest for end in ends)


def _sequences(messages: list[Message]) -> list[int]:
    return [message["sequence"] for message in messages]


def _subscribers(graphql: GraphQLDoor) -> int:
    return int(graphql.ask("{ server { subscribers } }")["server"]["subscribers"])
