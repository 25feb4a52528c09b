"""How a server ends: told to, and killed."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import httpx
import psutil
import pytest
from deadlines import eventually
from doors import GraphQLDoor
from runcast.server.graphql.socket import PROTOCOL
from runcast.server.signals import SAME_SECONDS
from server_process import ENDS_SOON, ServerProcess, all_gone
from subscriptions import check_progress, connected, until_begun, whole
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PIPELINES = ("shell", "stubborn", "blocking", "waiting")
IN_TIME = 10.0
END = "query($id: ID!) { execution(id: $id) { endReason } }"
WAITS_FOR_EVER = {
    "runcast.server.serve:SHUTDOWN_GRACE_SECONDS": 600,
    "runcast.server.signals:LAST_SECONDS": 600,
    "runcast.server.signals:HASTENED_SECONDS": 600,
}
"""For `hurry`: a server that does not end while something runs, unless it is told to make haste."""


@pytest.mark.parametrize(
    ("number", "hurry"),
    [
        (signal.SIGTERM, ENDS_SOON),
        pytest.param(signal.SIGINT, ENDS_SOON, marks=pytest.mark.campaign),
        (signal.SIGHUP, ENDS_SOON),
        pytest.param(signal.SIGQUIT, ENDS_SOON, marks=pytest.mark.campaign),
        pytest.param(signal.SIGTERM, None, marks=pytest.mark.campaign),
        pytest.param(signal.SIGINT, None, marks=pytest.mark.campaign),
    ],
    ids=["SIGTERM, soon", "SIGINT, soon", "SIGHUP, soon", "SIGQUIT, soon", "SIGTERM", "SIGINT"],
)
async def test_told_to_stop(
    serve: Callable[..., ServerProcess], number: signal.Signals, hurry: dict[str, float] | None
) -> None:
    """It ends what runs, tells every reader, leaves no process, and is gone within 10 s."""
    server = serve("--grace", "1", hurry=hurry)
    door = GraphQLDoor(server.client)
    ids = [door.start(pipeline, "hello") for pipeline in PIPELINES]
    async with AsyncExitStack() as sockets:
        socket = await sockets.enter_async_context(connected(server.ws_url))
        readers = [socket.progress(id) for id in ids]
        begun = await asyncio.gather(*map(until_begun, readers))
        family = server.children()
        asked = time.monotonic()
        server.process.send_signal(number)
        ends = await asyncio.gather(*map(whole, readers))
        await asyncio.to_thread(server.process.wait, 20)
        took = time.monotonic() - asked
    assert took < IN_TIME
    assert all_gone(family)
    assert len(family) >= 6, "a shell with a grandchild, one that ignores SIGTERM, a worker"
    for start, end in zip(begun, ends, strict=True):
        check_progress(start + end)
        last = end[-1]
        assert (last["status"], last["execution"]["endReason"]) == ("FAILED", "SERVER_SHUTDOWN")
        assert last["execution"]["error"]["type"] == "ServerShutdown"
    assert "Traceback" not in server.complained


async def test_an_open_list_is_interrupted(serve: Callable[..., ServerProcess]) -> None:
    """No `complete` before the close code 1012: a client takes it up again after a restart."""
    server = serve()
    subscription = {"query": "subscription { executionsChanged { change } }"}
    async with connect(server.ws_url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": subscription}))
        messages = []
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(20):
                while True:
                    messages.append(json.loads(await socket.recv()))
                    if "CAUGHT_UP" in str(messages[-1]):
                        server.process.terminate()
    assert [message["type"] for message in messages] == ["connection_ack", "next"]
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
    await asyncio.to_thread(server.process.wait, 20)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGINT),
        pytest.param(signal.SIGTERM, signal.SIGTERM, marks=pytest.mark.campaign),
        (signal.SIGHUP, signal.SIGINT),
    ],
)
async def test_twice_told(
    serve: Callable[..., ServerProcess], first: signal.Signals, second: signal.Signals
) -> None:
    """The second time it does not wait for what runs, and still leaves no process."""
    server = serve("--grace", "60", hurry=WAITS_FOR_EVER)
    door = GraphQLDoor(server.client)
    ids = [door.start(pipeline, "hello") for pipeline in PIPELINES]
    eventually(lambda: _begun(door) == len(PIPELINES))
    family = server.children()
    server.process.send_signal(first)
    eventually(lambda: _refuses(server))
    with pytest.raises(psutil.TimeoutExpired):
        await asyncio.to_thread(server.process.wait, 3 * SAME_SECONDS)
    server.process.send_signal(second)
    await asyncio.to_thread(server.process.wait, IN_TIME)
    eventually(lambda: all_gone(family))
    again = serve("--data", str(server.data))
    found = [GraphQLDoor(again.client).ask(END, id=id)["execution"] for id in ids]
    reasons = {execution["endReason"] for execution in found}
    assert reasons == {"SERVER_SHUTDOWN"}, "the history was written to its end"


def test_two_signals_at_once_are_one(serve: Callable[..., ServerProcess]) -> None:
    """Terminals and `timeout` tell a process and its group: that is no haste."""
    server = serve(hurry={**WAITS_FOR_EVER, "runcast.server.signals:SAME_SECONDS": 600})
    door = GraphQLDoor(server.client)
    door.start("waiting", "hello")
    eventually(lambda: _begun(door))
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: _refuses(server))
    server.process.send_signal(signal.SIGTERM)
    with pytest.raises(psutil.TimeoutExpired):
        server.process.wait(1)


def test_nothing_holds_it_up_for_ever(serve: Callable[..., ServerProcess]) -> None:
    """Some time after the signal it is gone, whatever it waits for, with what it has started."""
    server = serve(hurry={**WAITS_FOR_EVER, "runcast.server.signals:LAST_SECONDS": 1.0})
    door = GraphQLDoor(server.client)
    for pipeline in PIPELINES:
        door.start(pipeline, "hello")
    eventually(lambda: _begun(door) == len(PIPELINES))
    family = server.children()
    server.process.terminate()
    assert server.process.wait(IN_TIME) == -signal.SIGALRM
    eventually(lambda: all_gone(family))


def test_nohup(serve: Callable[..., ServerProcess]) -> None:
    """A server that is started with SIGHUP ignored goes on ignoring it."""
    server = serve(within=("sh", "-c", "trap '' HUP; exec \"$@\"", "sh"))
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        assert server.client.get("/readyz").status_code == 200
    server.process.terminate()
    server.process.wait(IN_TIME)


def test_idle_server_stops(serve: Callable[..., ServerProcess]) -> None:
    """A server on which nothing runs is gone at once."""
    server = serve()
    asked = time.monotonic()
    server.process.terminate()
    server.process.wait(20)
    assert time.monotonic() - asked < 5


def _begun(door: GraphQLDoor) -> int:
    """How many executions have a stage that has put out `begun`."""
    data = door.ask("{ executions { stages { output { text } } } }")
    outputs = [
        "".join(stage["output"]["text"] for stage in execution["stages"])
        for execution in data["executions"]
    ]
    return sum("begun" in output for output in outputs)


def _refuses(server: ServerProcess) -> bool:
    """Whether it has heard that it is to stop."""
    try:
        return server.client.get("/readyz").status_code == 503
    except httpx.TransportError:
        return True
