"""Messages that no client should send: the right close code, or an error of one operation."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from runcast.server.graphql.socket import INIT_SECONDS, PING_SECONDS
from server_process import ServerProcess
from subscriptions import connected, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
INIT = {"type": "connection_init"}
QUERY = "{ server { engine } }"
LIST = "subscription { executionsChanged { cursor } }"
NOTHING = 'subscription { executionsChanged(filter: {pipelineId: "none"}) { cursor } }'
SECONDS = 30


def subscribe(id: object = "1", **payload: object) -> dict[str, object]:
    return {"id": id, "type": "subscribe", "payload": {"query": QUERY} | payload}


WRONG_SHAPE: dict[str, object] = {
    "empty": "",
    "no JSON": "hello",
    "half an object": '{"type": "ping"',
    "NaN": '{"type": "ping", "payload": {"x": NaN}}',
    "integer of 5,000 digits": '{"type": "ping", "payload": {"x": %s}}' % ("9" * 5000),
    "half a surrogate pair": '{"type": "ping", "payload": {"x": "\\ud83d"}}',
    "deep": "[" * 30_000 + "]" * 30_000,
    "bytes": b'{"type": "ping"}',
    "invalid UTF-8 in bytes": b"\xff\xfe",
    "null": None,
    "number": 1,
    "boolean": True,
    "text": '"ping"',
    "list": [],
    "list of a message": [{"type": "ping"}],
    "empty object": {},
    "no type": {"id": "1", "payload": {"query": QUERY}},
    "null as type": {"type": None},
    "number as type": {"type": 5},
    "list as type": {"type": ["ping"]},
    "unknown type": {"type": "nope"},
    "type in capitals": {"type": "PING"},
    "start, of the old protocol": {"id": "1", "type": "start", "payload": {"query": QUERY}},
    "next": {"id": "1", "type": "next", "payload": {"data": None}},
    "error": {"id": "1", "type": "error", "payload": []},
    "connection_ack": {"type": "connection_ack"},
    "ping with a list": {"type": "ping", "payload": []},
    "ping with a text": {"type": "ping", "payload": "x"},
    "pong with a number": {"type": "pong", "payload": 5},
    "subscribe without an id": {"type": "subscribe", "payload": {"query": QUERY}},
    "subscribe with a null id": subscribe(None),
    "subscribe with a number": subscribe(5),
    "subscribe with a list": subscribe([]),
    "subscribe with an object": subscribe({}),
    "subscribe with an empty id": subscribe(""),
    "subscribe without a payload": {"id": "1", "type": "subscribe"},
    "subscribe with a null payload": {"id": "1", "type": "subscribe", "payload": None},
    "subscribe with a list as payload": {"id": "1", "type": "subscribe", "payload": []},
    "subscribe with a text as payload": {"id": "1", "type": "subscribe", "payload": QUERY},
    "subscribe without a query": {"id": "1", "type": "subscribe", "payload": {}},
    "null as query": subscribe(query=None),
    "number as query": subscribe(query=5),
    "list as query": subscribe(query=[QUERY]),
    "list as variables": subscribe(variables=[]),
    "text as variables": subscribe(variables="{}"),
    "list as operationName": subscribe(operationName=[1]),
    "list as extensions": subscribe(extensions=[]),
    "complete without an id": {"type": "complete"},
    "complete with a list": {"type": "complete", "id": []},
    "complete with a number": {"type": "complete", "id": 5},
}
REFUSED = {
    "syntax error": (subscribe(query="{"), "GRAPHQL_PARSE_FAILED"),
    "empty query": (subscribe(query=""), "GRAPHQL_PARSE_FAILED"),
    "unknown field": (subscribe(query="{ nope }"), "GRAPHQL_VALIDATION_FAILED"),
    "too deep": (subscribe(query="{ a " * 11 + "}" * 11), "LIMIT_EXCEEDED"),
    "missing variable": (
        subscribe(query="query ($id: ID!) { execution(id: $id) { id } }"),
        "BAD_USER_INPUT",
    ),
    "several operations": (
        subscribe(query="query a { server { engine } } query b { server { engine } }"),
        "OPERATION_RESOLUTION_FAILURE",
    ),
    "unknown operation": (subscribe(operationName="x"), "OPERATION_RESOLUTION_FAILURE"),
    "unknown execution": (
        subscribe(query='subscription { executionProgress(id: "exec_1_none") { id } }'),
        "NOT_FOUND",
    ),
    "cursor that is none": (
        subscribe(query='subscription { executionsChanged(after: "x") { cursor } }'),
        "INVALID_INPUT",
    ),
}

MASK = bytes(4)
BROKEN_FRAMES = {
    "invalid UTF-8": (1007, b"\x81\x82" + MASK + b"\xff\xfe"),
    "half a character": (1007, b"\x01\x81" + MASK + b"\xc3\x80\x81" + MASK + b"("),
    "not masked": (1002, b"\x81\x02{}"),
    "reserved bit": (1002, b"\xc1\x82" + MASK + b"{}"),
    "unknown opcode": (1002, b"\x83\x80" + MASK),
    "continuation of nothing": (1002, b"\x80\x80" + MASK),
    "text within a text": (1002, b"\x01\x80" + MASK + b"\x81\x80" + MASK),
    "ping in fragments": (1002, b"\x09\x80" + MASK),
    "ping that is too long": (1002, b"\x89\xfe\x00\x7e" + MASK + bytes(126)),
    "close with 1006": (1002, b"\x88\x82" + MASK + b"\x03\xee"),
    "close with one byte": (1002, b"\x88\x81" + MASK + b"\x03"),
    "HTTP": (1002, b"GET / HTTP/1.1\r\n\r\n"),
    "announced as 2 to the power of 63": (1009, b"\x81\xff\x7f" + b"\xff" * 7 + MASK),
}


@asynccontextmanager
async def opened(server: ServerProcess, *messages: object) -> AsyncIterator[ClientConnection]:
    """A socket over which these messages were sent."""
    # What nobody reads must not keep the answer to our close from being read: that takes 10 s.
    unbounded = {"max_size": None, "max_queue": None}
    async with connect(server.ws_url, subprotocols=[PROTOCOL], **unbounded) as socket:
        for message in messages:
            await send(socket, message)
        yield socket


async def send(socket: ClientConnection, message: object) -> None:
    await socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))


async def received(socket: ClientConnection) -> dict[str, Any]:
    """The next message, the server's own pings left out."""
    # One deadline for all of them: pings alone would put it off for ever.
    async with asyncio.timeout(SECONDS):
        while (message := json.loads(await socket.recv())) == {"type": "ping"}:
            pass
    return dict(message)


async def close_of(socket: ClientConnection) -> tuple[int, str]:
    """The code and the reason with which the server ends the connection."""
    with pytest.raises(ConnectionClosed) as closed:
        # The server's pings go on: without a deadline of its own this would wait for ever.
        async with asyncio.timeout(SECONDS):
            while True:
                await received(socket)
    assert closed.value.rcvd is not None, "1006: there was no close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.fixture(autouse=True)
async def bystander(server: ServerProcess) -> AsyncIterator[None]:
    """Another socket's subscription goes on meanwhile, and the log has no traceback."""
    before = server.complained.count("Traceback")
    async with connected(server.ws_url) as other:
        changes = other.changes()
        await until(changes, change="CAUGHT_UP")
        yield
        started = 'mutation { startExecution(pipelineId: "echo", input: "a") { execution { id } } }'
        await other.ask(started)
        await until(changes, change="ENTERED")
    assert server.complained.count("Traceback") == before


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("name", WRONG_SHAPE)
async def test_wrong_shape(server: ServerProcess, name: str, begun: bool) -> None:
    """4400 with a reason, before the connection is acknowledged and after."""
    message = WRONG_SHAPE[name]
    async with opened(server, *([INIT] if begun else []), message) as socket:
        code, reason = await close_of(socket)
    assert code == 4400 and reason


@pytest.mark.parametrize("name", BROKEN_FRAMES)
async def test_broken_frame(server: ServerProcess, name: str) -> None:
    """What RFC 6455, section 7.4.1, has for bytes that are no frame; nothing of it is logged."""
    code, frame = BROKEN_FRAMES[name]
    async with opened(server, INIT) as socket:
        assert await received(socket) == {"type": "connection_ack"}
        socket.transport.write(frame)
        assert (await close_of(socket))[0] == code


@pytest.mark.parametrize("payload", [[], "x", 5, True])
async def test_init_with_a_payload_that_is_no_object(server: ServerProcess, payload: Any) -> None:
    """4400, too."""
    async with opened(server, INIT | {"payload": payload}) as socket:
        assert (await close_of(socket))[0] == 4400


async def test_subscribe_before_the_acknowledgement(server: ServerProcess) -> None:
    """4401 Unauthorized."""
    async with opened(server, subscribe()) as socket:
        assert await close_of(socket) == (4401, "Unauthorized")


async def test_wrong_token(serve: Any) -> None:
    """4403 Forbidden, with none as with a wrong one."""
    guarded = serve("--token", "secret")
    for init in (INIT, INIT | {"payload": {"Authorization": "Bearer wrong"}}):
        async with opened(guarded, init) as socket:
            assert await close_of(socket) == (4403, "Forbidden")
    async with opened(guarded, INIT | {"payload": {"Authorization": "Bearer secret"}}) as socket:
        assert await received(socket) == {"type": "connection_ack"}
    assert "Traceback" not in guarded.complained


@pytest.mark.parametrize("seconds", [1, pytest.param(INIT_SECONDS, marks=pytest.mark.campaign)])
async def test_no_init(serve: Any, seconds: float) -> None:
    """4408 in the end; a ping in the meantime is answered, and does not count."""
    hurried = serve(hurry={"runcast.server.graphql.socket:INIT_SECONDS": seconds})
    async with opened(hurried, {"type": "ping"}) as socket:
        assert await received(socket) == {"type": "pong"}
        assert await close_of(socket) == (4408, "Connection initialisation timeout")


async def test_an_id_twice(server: ServerProcess) -> None:
    """4409 while the first one runs."""
    async with opened(server, INIT, subscribe(query=LIST), subscribe(query=LIST)) as socket:
        assert await close_of(socket) == (4409, "Subscriber for 1 already exists")


async def test_an_id_again(server: ServerProcess) -> None:
    """Once it is complete an id is free."""
    async with opened(server, INIT) as socket:
        await received(socket)
        for _ in range(3):
            await send(socket, subscribe())
            assert (await received(socket))["type"] == "next"
            assert await received(socket) == {"id": "1", "type": "complete"}


async def test_init_twice(server: ServerProcess) -> None:
    """4429."""
    async with opened(server, INIT, INIT) as socket:
        assert await close_of(socket) == (4429, "Too many initialisation requests")


async def test_a_flood(server: ServerProcess) -> None:
    """4429 for who sends thousands at once; the bystander does not notice."""
    async with opened(server, INIT) as socket:
        with suppress(ConnectionClosed):
            for _ in range(20_000):
                await send(socket, {"type": "ping"})
        assert await close_of(socket) == (4429, "Too many messages")


async def test_a_burst(server: ServerProcess) -> None:
    """Three hundred messages at once are not too many: the last one is answered."""
    async with opened(server, INIT, *[{"type": "pong"}] * 298, {"type": "ping"}) as socket:
        assert await received(socket) == {"type": "connection_ack"}
        assert await received(socket) == {"type": "pong"}


@pytest.mark.parametrize("text", ["#" * (5 << 18), "é" * (5 << 17)])
async def test_a_megabyte(server: ServerProcess, text: str) -> None:
    """1009 Message Too Big; bytes are counted, not characters."""
    message = json.dumps({"type": "ping", "payload": {"x": text}}, ensure_ascii=False)
    async with opened(server, INIT, message) as socket:
        assert (await close_of(socket))[0] == 1009


def of_length(message: dict[str, Any], length: int) -> str:
    """The message with so much in its payload that it has that many bytes."""
    short = len(json.dumps(message | {"payload": {"x": ""}}))
    return json.dumps(message | {"payload": {"x": "#" * (length - short)}})


async def test_as_large_as_it_may_be(server: ServerProcess) -> None:
    """There is room for 128 KiB beside an input, and not for a byte more."""
    most = (1 << 20) + (128 << 10)
    whole = of_length({"type": "ping"}, most)
    async with opened(server, INIT, whole) as socket:
        await received(socket)
        assert await received(socket) == json.loads(whole) | {"type": "pong"}
        await send(socket, of_length({"type": "ping"}, most + 1))
        assert (await close_of(socket))[0] == 1009


@pytest.mark.parametrize(("length", "taken"), [(1 << 16, True), ((1 << 16) + 1, False)])
async def test_a_stranger_brings_less(server: ServerProcess, length: int, taken: bool) -> None:
    """64 KiB before the acknowledgement."""
    async with opened(server, of_length(INIT, length)) as socket:
        if taken:
            assert await received(socket) == {"type": "connection_ack"}
        else:
            assert (await close_of(socket))[0] == 1009


@pytest.mark.parametrize("spell", [json.dumps, lambda text: json.dumps(text, ensure_ascii=False)])
async def test_the_longest_input(server: ServerProcess, spell: Callable[[str], str]) -> None:
    """1 MiB of input is accepted, however JSON spells it."""
    document = (
        'mutation ($i: String!) { startExecution(pipelineId: "echo", input: $i) { existing } }'
    )
    message = json.dumps(subscribe(query=document, variables={"i": "INPUT"}))
    spelled = spell("é" * (1 << 19))
    async with opened(server, INIT, message.replace('"INPUT"', spelled)) as socket:
        assert await received(socket) == {"type": "connection_ack"}
        answer = await received(socket)
    assert answer["payload"] == {"data": {"startExecution": {"existing": False}}}


@pytest.mark.parametrize("protocols", [None, ["graphql-ws"], ["soap", "mqtt"]])
async def test_another_protocol(server: ServerProcess, protocols: list[Any] | None) -> None:
    """4406 that names the one that is spoken here."""
    async with connect(server.ws_url, subprotocols=protocols) as socket:
        code, reason = await close_of(socket)
    assert code == 4406 and PROTOCOL in reason


@pytest.mark.parametrize("order", [["graphql-ws", PROTOCOL], [PROTOCOL, "graphql-ws"]])
async def test_the_order_of_protocols(server: ServerProcess, order: list[Any]) -> None:
    """The newer one is chosen, whatever comes first."""
    async with connect(server.ws_url, subprotocols=order) as socket:
        assert socket.subprotocol == PROTOCOL


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_operation(server: ServerProcess, name: str) -> None:
    """`error` for its id; the other operations of the socket go on."""
    message, code = REFUSED[name]
    following = subscribe("other", query=LIST)
    async with opened(server, INIT, following, message, subscribe("2")) as socket:
        found: dict[str, list[dict[str, Any]]] = {}
        while not (found.get("1") and len(found.get("2", [])) == 2 and found.get("other")):
            answer = await received(socket)
            found.setdefault(answer.get("id", ""), []).append(answer)
    [error] = found["1"]
    assert error["type"] == "error" and error["payload"][0]["extensions"]["code"] == code
    assert [one["type"] for one in found["2"]] == ["next", "complete"]
    assert {one["type"] for one in found["other"]} == {"next"}


async def test_harmless_ones(server: ServerProcess) -> None:
    """A ping's payload comes back; pongs and completes of nothing are passed over."""
    strays = ({"type": "pong"}, {"type": "complete", "id": "none"}, {"type": "pong", "payload": {}})
    async with opened(server, INIT | {"payload": None}, *strays) as socket:
        assert await received(socket) == {"type": "connection_ack"}
        for payload in ({"a": 1}, {}):
            await send(socket, {"type": "ping", "payload": payload})
            assert await received(socket) == {"type": "pong", "payload": payload}


async def test_too_many_operations(server: ServerProcess) -> None:
    """The hundred and first operation of a socket is refused, the hundred go on."""
    many = [subscribe(str(number), query=NOTHING) for number in range(101)]
    async with opened(server, INIT, *many) as socket:
        while (answer := await received(socket)).get("type") != "error":
            pass
        assert answer["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        await send(socket, {"id": "0", "type": "complete"})
        await send(socket, subscribe("one more"))
        while (answer := await received(socket)).get("id") != "one more":
            pass
        assert answer["type"] == "next"


@pytest.mark.parametrize("seconds", [0.5, pytest.param(PING_SECONDS, marks=pytest.mark.campaign)])
async def test_a_server_pings(serve: Any, seconds: float) -> None:
    """Again and again, with a message that clients must answer."""
    hurried = serve(hurry={"runcast.server.graphql.socket:PING_SECONDS": seconds})
    async with opened(hurried, INIT) as socket:
        await received(socket)
        for _ in range(2):
            assert json.loads(await asyncio.wait_for(socket.recv(), SECONDS)) == {"type": "ping"}


async def test_how_long_a_client_may_say_nothing() -> None:
    """Ten seconds before it has introduced itself; no proxy in between sees 20 of silence."""
    assert INIT_SECONDS == 10
    assert PING_SECONDS < 20
