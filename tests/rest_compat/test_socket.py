"""`/ws` as an old client speaks it, over real sockets: section 4 of the REST contract."""

import asyncio
import json
from typing import Any

import pytest
from old_door import Door, door, hear, hear_to, say, types
from patience import until
from runcast.core.errors import StageError
from runcast.core.running.stages import StageCall
from runcast.rest_compat import socket as old_socket
from samples import a_pipeline
from scripted_stages import Gate, ScriptedRunner, SlowToStop
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus


def of_one(messages: list[dict[str, Any]], id: str) -> list[str]:
    return types([message for message in messages if message["executionId"] == id])


WHOLE = [
    "execution:started",
    *["stage:started", "stage:output", "stage:completed"] * 2,
    "execution:completed",
]


async def test_a_run_is_told_from_the_answer_to_its_end() -> None:
    """`subscribed` comes first, then every event of the contract in its order."""
    gate = Gate("first")
    async with door(runner=ScriptedRunner(one=gate)) as served, served.socket() as socket:
        id = await served.start()
        await say(socket, type="subscribe", executionId=id)
        await gate.entered.wait()
        gate.opened.set()
        heard = await hear_to(socket, "execution:completed")
    assert types(heard) == ["subscribed", *WHOLE]
    assert heard[0] == {"type": "subscribed", "executionId": id, "success": True}
    assert all(message["executionId"] == id for message in heard)
    assert heard[1] == {
        "type": "execution:started",
        "executionId": id,
        "pipelineId": "demo",
        "pipelineName": "Demo",
        "stageCount": 2,
    }
    assert (heard[2]["index"], heard[2]["total"], heard[5]["index"]) == (0, 2, 1)
    assert heard[3]["stageId"] == "one"
    assert heard[3]["output"] == "first"
    assert heard[3]["isFinal"] is True
    assert heard[4]["result"]["status"] == "completed"
    assert heard[-1]["result"]["status"] == "success"
    assert heard[-1]["result"]["pipelineId"] == "demo"
    assert heard[-1]["result"]["summary"]["stagesRun"] == 2


async def test_whoever_comes_late_catches_up_after_the_answer() -> None:
    """B8: of an ended run, too, `subscribed` comes first, and every event follows once."""
    async with door() as served, served.socket() as socket:
        id = await served.start()
        await served.ended(id)
        await say(socket, type="subscribe", executionId=id)
        heard = await hear_to(socket, "execution:completed")
    assert types(heard) == ["subscribed", *WHOLE]


async def test_whoever_comes_in_the_middle_misses_nothing_and_hears_nothing_twice() -> None:
    """The catch-up and the live events meet without a gap."""
    gate = Gate()
    async with door(runner=ScriptedRunner(two=gate)) as served, served.socket() as socket:
        id = await served.start()
        await gate.entered.wait()
        await say(socket, type="subscribe", executionId=id)
        caught_up = await hear(socket, 6)
        gate.opened.set()
        rest = await hear_to(socket, "execution:completed")
    assert types(caught_up + rest) == ["subscribed", *WHOLE]
    assert caught_up[-1]["type"] == "stage:started"


async def test_a_cancel_closes_the_stage_first() -> None:
    """The clients close on `execution:cancelled`: it comes while the stage still cleans up."""
    slow = SlowToStop()
    async with door(runner=ScriptedRunner(one=slow)) as served, served.socket() as socket:
        id = await served.start()
        await say(socket, type="subscribe", executionId=id)
        await slow.entered.wait()
        await served.client.post(f"/api/executions/{id}/cancel")
        heard = await hear_to(socket, "execution:cancelled")
        assert not slow.cleaned
        slow.opened.set()
        (end,) = await hear(socket)
    assert types(heard)[-2:] == ["stage:failed", "execution:cancelled"]
    assert heard[-2]["error"] == "Cancelled"
    assert end["type"] == "execution:completed"
    assert end["result"]["status"] == "cancelled"


async def test_whoever_subscribes_after_a_cancel_is_told_of_it() -> None:
    """B7: between the cancel and the real end, and after it."""
    slow = SlowToStop()
    async with door(runner=ScriptedRunner(one=slow)) as served, served.socket() as socket:
        id = await served.start()
        await slow.entered.wait()
        await served.manager.cancel(id)
        await say(socket, type="subscribe", executionId=id)
        heard = await hear_to(socket, "execution:cancelled")
        slow.opened.set()
        await hear_to(socket, "execution:completed")
        await say(socket, type="subscribe", executionId=id)
        again = await hear_to(socket, "execution:completed")
    assert types(heard) == [
        "subscribed",
        "execution:started",
        "stage:started",
        "stage:failed",
        "execution:cancelled",
    ]
    assert types(again) == [*types(heard), "execution:completed"]


async def test_a_failure_is_told_with_a_result() -> None:
    """Without a result the detail page would show it as completed."""

    async def fail(call: StageCall[Any]) -> object:
        call.emit("half an answer")
        raise StageError("no luck", retryable=False)

    async with door(runner=ScriptedRunner(one=fail)) as served, served.socket() as socket:
        id = await served.start()
        await say(socket, type="subscribe", executionId=id)
        heard = await hear_to(socket, "execution:completed")
    assert types(heard)[2:] == ["stage:started", "stage:output", "stage:failed", WHOLE[-1]]
    assert heard[3]["output"] == "half an answer"
    assert heard[4]["error"] == "no luck"
    assert heard[-1]["result"]["status"] == "failed"
    assert heard[-1]["result"]["error"] == "no luck"
    assert heard[-1]["result"]["output"] == {}


async def test_long_output_is_cut_everywhere() -> None:
    """B23: 300 kB of output arrive as 50 kB in the event of the stage and in the result."""

    async def talk(call: StageCall[Any]) -> object:
        return "x" * 300_000

    async with door(runner=ScriptedRunner(one=talk)) as served, served.socket() as socket:
        id = await served.start(a_pipeline("one"))
        await say(socket, type="subscribe", executionId=id)
        heard = await hear_to(socket, "execution:completed")
    cut = "x" * 51_200 + "\n...[output truncated]..."
    assert heard[3]["output"] == cut
    assert heard[-1]["result"]["output"] == {"optimizedPrompt": cut, "one": cut}


async def test_what_is_not_held_cannot_be_subscribed_to() -> None:
    """`success` is false, and nothing is remembered: a later execution has another id."""
    async with door() as served, served.socket() as socket:
        await say(socket, type="subscribe", executionId="exec_1_nobody")
        assert await hear(socket) == [
            {"type": "subscribed", "executionId": "exec_1_nobody", "success": False}
        ]
        assert served.manager.subscribers == 0


async def test_subscribing_twice_does_not_double_the_events() -> None:
    """Both are answered; each event comes once."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served, served.socket() as socket:
        id = await served.start()
        for _ in range(3):
            await say(socket, type="subscribe", executionId=id)
        await until(lambda: served.manager.subscribers == 1)
        gate.opened.set()
        heard = await hear_to(socket, "execution:completed")
        await say(socket, type="unsubscribe", executionId=id)
        heard += await hear(socket)
    assert types(heard).count("subscribed") == 3
    assert [type for type in types(heard) if type != "subscribed"] == [*WHOLE, "unsubscribed"]


async def test_a_socket_follows_several_executions() -> None:
    """Each one's events come in their order."""
    async with door() as served, served.socket() as socket:
        ids = [await served.start() for _ in range(5)]
        for id in ids:
            await say(socket, type="subscribe", executionId=id)
        heard: list[dict[str, Any]] = []
        for _ in ids:
            heard += await hear_to(socket, "execution:completed")
    assert {id: of_one(heard, id) for id in ids} == {id: ["subscribed", *WHOLE] for id in ids}


async def test_after_unsubscribed_nothing_comes() -> None:
    """And unsubscribing is answered even where there was nothing to end."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served, served.socket() as socket:
        id = await served.start()
        await say(socket, type="subscribe", executionId=id)
        await hear(socket, 3)
        await say(socket, type="unsubscribe", executionId=id)
        assert await hear(socket) == [{"type": "unsubscribed", "executionId": id}]
        await until(lambda: served.manager.subscribers == 0)
        gate.opened.set()
        await served.ended(id)
        await say(socket, type="unsubscribe", executionId=id)
        assert await hear(socket) == [{"type": "unsubscribed", "executionId": id}]


class Pipe:
    """A socket whose messages are all there when the server looks, as after a stall."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.say(*messages)
        self.sent: list[dict[str, Any]] = []

    def say(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            text = json.dumps(message)
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect"})

    def serve(self, served: Door) -> "asyncio.Task[None]":
        scope = {"type": "websocket", "headers": [], "query_string": b""}
        socket = WebSocket(scope, self._incoming.get, self._send)
        return asyncio.create_task(served.sockets.serve(socket))

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            self.sent.append(json.loads(message["text"]))


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_unsubscribe_and_subscribe_at_once(times: int) -> None:
    """It is followed once, and after the last `unsubscribed` not at all."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served:
        id = await served.start()
        await gate.entered.wait()
        on, off = ({"type": type, "executionId": id} for type in ("subscribe", "unsubscribe"))
        pipe = Pipe(on, *[off, on] * times)
        serving = pipe.serve(served)
        await until(lambda: types(pipe.sent)[-2:] == ["execution:started", "stage:started"])
        assert served.manager.subscribers == 1
        assert types(pipe.sent)[:-2] == ["subscribed", *["unsubscribed", "subscribed"] * times]
        pipe.say(off)
        await until(lambda: served.manager.subscribers == 0)
        gate.opened.set()
        await served.ended(id)
        pipe.leave()
        await serving
        assert types(pipe.sent)[-1] == "unsubscribed"


async def test_a_place_that_was_given_up_can_be_taken_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of another execution, though the first one has not yet heard that nobody follows it."""
    monkeypatch.setattr(old_socket, "MOST_SUBSCRIPTIONS", 1)
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served:
        first, second = await served.start(), await served.start()
        pipe = Pipe(
            {"type": "subscribe", "executionId": first},
            {"type": "subscribe", "executionId": second},
            {"type": "unsubscribe", "executionId": first},
            {"type": "subscribe", "executionId": second},
        )
        serving = pipe.serve(served)
        await until(lambda: "execution:started" in types(pipe.sent))
        answers = [(one["type"], one.get("success")) for one in pipe.sent[:4]]
        assert answers == [
            ("subscribed", True),
            ("subscribed", False),
            ("unsubscribed", None),
            ("subscribed", True),
        ]
        assert of_one(pipe.sent, second)[2] == "execution:started"
        gate.opened.set()
        pipe.leave()
        await serving
        assert served.manager.subscribers == 0


INVALID = {"type": "error", "message": "Invalid message format"}


@pytest.mark.parametrize(
    "nonsense",
    ["", "no json", "null", b"\xff\xfe", "[" * 100_000, " " * 100_000 + "{}", '"\\ud800"', "NaN"],
)
async def test_what_is_no_json_gets_the_old_error(nonsense: str | bytes) -> None:
    """The exact text of the old server; the socket stays."""
    async with door() as served, served.socket() as socket:
        await socket.send(nonsense)
        assert await hear(socket) == [INVALID]
        await say(socket, type="unsubscribe", executionId="x")
        assert types(await hear(socket)) == ["unsubscribed"]


@pytest.mark.parametrize(
    ("nonsense", "named"),
    [
        (7, "type"),
        ([], "type"),
        ("text", "type"),
        ({"type": []}, "type"),
        ({"type": "dance", "executionId": "x"}, "type"),
        ({"type": "subscribe"}, "executionId"),
        ({"type": "subscribe", "executionId": ""}, "executionId"),
        ({"type": "subscribe", "executionId": 1}, "executionId"),
        ({"type": "unsubscribe", "executionId": "x" * 201}, "executionId"),
    ],
)
async def test_other_nonsense_is_told_what_is_wrong(nonsense: object, named: str) -> None:
    """The message names the key; the socket stays."""
    async with door() as served, served.socket() as socket:
        await socket.send(json.dumps(nonsense))
        (answer,) = await hear(socket)
        assert answer["type"] == "error"
        assert f'"{named}"' in answer["message"]
        await say(socket, type="unsubscribe", executionId="x")
        assert types(await hear(socket)) == ["unsubscribed"]


async def test_a_binary_message_with_json_is_as_good() -> None:
    """The answer is text all the same."""
    async with door() as served, served.socket() as socket:
        id = await served.start()
        await socket.send(json.dumps({"type": "subscribe", "executionId": id}).encode())
        heard = await hear_to(socket, "execution:completed")
    assert types(heard) == ["subscribed", *WHOLE]


async def test_the_number_of_subscriptions_is_bounded() -> None:
    """One more than 100 at a time is refused with a reason; ended ones do not count."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served, served.socket() as socket:
        short = await served.start(a_pipeline("two"))
        await say(socket, type="subscribe", executionId=short)
        await hear_to(socket, "execution:completed")
        ids = [await served.start() for _ in range(101)]
        for id in ids:
            await say(socket, type="subscribe", executionId=id)
        refused = await hear(socket)
        while refused[-1].get("success") is not False:
            refused = await hear(socket)
        assert refused[0]["executionId"] == ids[-1]
        assert "100" in refused[0]["error"]
        await say(socket, type="unsubscribe", executionId=ids[0])
        await hear_to(socket, "unsubscribed")
        await say(socket, type="subscribe", executionId=ids[-1])
        assert (await hear_to(socket, "subscribed"))[-1]["success"] is True
        gate.opened.set()


async def test_a_socket_that_goes_leaves_nothing_behind() -> None:
    """However it goes, its watches are dropped, and what it watched runs on."""
    gate = Gate()
    async with door(runner=ScriptedRunner(one=gate)) as served:
        id = await served.start()
        for abort in (True, False):
            async with served.socket() as socket:
                await say(socket, type="subscribe", executionId=id)
                await hear(socket)
                await until(lambda: served.manager.subscribers == 1)
                if abort:
                    socket.transport.abort()
            await until(lambda: served.manager.subscribers == 0)
        gate.opened.set()
        await served.ended(id)
        assert served.manager.get(id).status == "COMPLETED"


async def test_a_socket_that_does_not_read_holds_up_nobody() -> None:
    """Its execution ends, and another socket hears all of it."""

    async def talk(call: StageCall[Any]) -> object:
        call.emit("x" * 52_000)
        return None

    stages = [f"s{number}" for number in range(150)]
    runner = ScriptedRunner(**dict.fromkeys(stages, talk))
    async with door(runner=runner) as served, served.socket(max_size=None) as reader:
        async with served.socket(max_queue=1) as deaf:
            deaf.transport.pause_reading()
            id = await served.start(a_pipeline(*stages))
            for socket in (deaf, reader):
                await say(socket, type="subscribe", executionId=id)
            heard = await hear_to(reader, "execution:completed")
            await until(lambda: served.manager.subscribers == 1)  # one is stuck, in vain
            deaf.transport.abort()
        await until(lambda: served.manager.subscribers == 0)
    assert types(heard).count("stage:completed") == 150
    assert heard[-1]["result"]["status"] == "success"


async def test_a_flood_of_messages_lets_others_through() -> None:
    """Twenty thousand that are there at once: others have their turn all the while."""
    text = json.dumps({"type": "unsubscribe", "executionId": "x"})
    incoming: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    incoming += [{"type": "websocket.receive", "text": text}] * 20_000
    incoming += [{"type": "websocket.disconnect"}]
    outgoing: list[Any] = []
    others = 0

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        outgoing.append(message)

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    async with door() as served:
        scope = {"type": "websocket", "headers": [], "query_string": b""}
        counting = asyncio.create_task(count())
        await served.sockets.serve(WebSocket(scope, receive, send))
        counting.cancel()
    assert [message["type"] for message in outgoing] == [
        "websocket.accept",
        *["websocket.send"] * 20_000,
    ]
    assert others >= 3


async def test_the_end_is_told_once_it_is_kept() -> None:
    """History and result file are there when a client hears `execution:completed`."""
    asked, written = asyncio.Event(), asyncio.Event()
    persisted: list[str] = []

    async def keep(id: str) -> None:
        persisted.append(id)
        asked.set()
        await written.wait()

    async with door(persisted=keep) as served, served.socket() as socket:
        id = await served.start()
        await say(socket, type="subscribe", executionId=id)
        before = await hear(socket, len(WHOLE))
        await asked.wait()
        assert "execution:completed" not in types(before)
        written.set()
        assert types(await hear(socket)) == ["execution:completed"]
    assert persisted == [id]


async def test_a_disk_that_hangs_does_not_keep_the_end_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wait has a limit."""
    monkeypatch.setattr(old_socket, "DISK_SECONDS", 0.05)

    async def never(id: str) -> None:
        await asyncio.get_running_loop().create_future()

    async with door(persisted=never) as served, served.socket() as socket:
        await say(socket, type="subscribe", executionId=await served.start())
        assert types(await hear_to(socket, "execution:completed"))[-1] == WHOLE[-1]


async def test_a_plain_request_is_told_that_it_is_none() -> None:
    """400 and the text that the old server's tests look for."""
    async with door() as served:
        answer = await served.client.get("/ws")
    assert (answer.status_code, answer.text) == (400, "WebSocket upgrade failed")
    assert answer.headers["content-type"].startswith("text/plain")


def admits_secret(authorization: str | None) -> bool:
    return authorization == "Bearer secret"


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/ws?token=secret", {}), ("/ws", {"Authorization": "Bearer secret"})],
)
async def test_a_token_is_taken_from_the_header_or_the_address(
    path: str, headers: dict[str, str]
) -> None:
    """Browsers cannot set a header on a socket."""
    async with (
        door(admits=admits_secret) as served,
        served.socket(path, additional_headers=headers) as socket,
    ):
        await say(socket, type="unsubscribe", executionId="x")
        assert types(await hear(socket)) == ["unsubscribed"]


@pytest.mark.parametrize("path", ["/ws", "/ws?token=wrong", "/ws?token="])
async def test_without_the_token_there_is_no_socket(path: str) -> None:
    """401 instead of an upgrade."""
    async with door(admits=admits_secret) as served:
        with pytest.raises(InvalidStatus) as refused:
            async with served.socket(path):
                pass
    assert refused.value.response.status_code == 401


async def test_the_end_of_the_server_ends_the_sockets() -> None:
    """The run's end is still told, then the socket is closed with 1012."""
    async with door(runner=ScriptedRunner(one=Gate())) as served:
        socket = await served.socket()
        await say(socket, type="subscribe", executionId=await served.start())
        await hear(socket, 3)
        await stop(served)
        heard = await hear_to(socket, "execution:completed")
        assert heard[-1]["result"]["status"] == "failed"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


async def stop(served: Door) -> None:
    await served.manager.close(grace=0)
    served.server.should_exit = True
