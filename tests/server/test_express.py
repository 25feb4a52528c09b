"""The short way to what is known already."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from runcast.core.execution.filter import EVERYTHING
from runcast.core.live.manager import ExecutionManager
from runcast.rest_compat.executions import FILTERS
from runcast.rest_compat.lists import executions_list
from runcast.schema.executable import ExecutableSchema
from runcast.schema.limits import Limits
from runcast.server.express import LONGEST_BODY, Express
from samples import ScriptedEngine, an_execution, put
from server_process import ServerProcess
from starlette.types import Message, Receive, Scope, Send
from virtual_clock import VirtualClock

QUERY = "{ executions { id } }"
BODY = json.dumps({"query": QUERY}).encode()
HEAD = {"host": "here", "content-type": "application/json"}
LONG_WAY = b"the long way"


class Lane:
    """A short way, and what stands behind it."""

    def __init__(self) -> None:
        self.manager = ExecutionManager(ScriptedEngine(), VirtualClock())
        self.ctx: Any = SimpleNamespace(
            manager=self.manager, loop_budget=self.manager.loop_budget, clock=VirtualClock()
        )
        self.schema = ExecutableSchema(Limits(), introspection=True)
        self.express = Express(self._long_way, self._judged, self.schema, self.ctx)
        self.judged = 0
        self.admitted: list[int] = []
        self.start()

    def start(self) -> None:
        number = self.manager.derived.revision
        execution = an_execution(f"exec_{number}")
        put(self.manager._store, execution)

    async def ask(
        self, path: str = "/graphql", *pieces: bytes, query: bytes = b"", **head: str
    ) -> tuple[bytes, dict[bytes, bytes]]:
        """The body and the fields of an answer."""
        said = HEAD | {name.replace("_", "-"): text for name, text in head.items()}
        scope = {
            "type": "http",
            "method": "POST" if path == "/graphql" else "GET",
            "path": path,
            "query_string": query,
            "headers": [(name.encode(), text.encode()) for name, text in said.items()],
            "state": {"admit": self.admitted.append},
        }
        parts = list(pieces or (BODY,))

        async def receive() -> Message:
            body = parts.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(parts)}

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self.express(scope, receive, send)
        assert [message["type"] for message in sent[:1]] == ["http.response.start"]
        return b"".join(one["body"] for one in sent[1:]), dict(sent[0]["headers"])

    def _judged(self, scope: Scope, headers: Any) -> object:
        self.judged += 1
        return None if headers["host"] == "here" else ("not here", 403)

    async def _long_way(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what it has received, so that the next is known."""
        body, more = LONG_WAY, scope["method"] == "POST"
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def lane() -> Lane:
    """A lane on which QUERY is known."""
    lane = Lane()
    await lane.schema.execute(lane.schema.read(QUERY), None, lane.ctx)
    return lane


async def test_what_is_known(lane: Lane) -> None:
    """It is answered as the application would, and whoever asked is admitted."""
    for _ in range(2):
        body, fields = await lane.ask()
        assert json.loads(body) == {"data": {"executions": [{"id": "exec_0"}]}}
    assert fields == {
        b"content-length": b"%d" % len(body),
        b"content-type": b"application/json; charset=utf-8",
        b"vary": b"Accept",
        b"x-content-type-options": b"nosniff",
    }
    assert (lane.judged, lane.admitted) == (1, [0, 0])


async def test_what_has_changed_goes_the_long_way(lane: Lane) -> None:
    """Nothing of the request is lost to it; then it is known anew."""
    assert (await lane.ask())[0] != LONG_WAY + BODY
    lane.start()
    for _ in range(2):
        assert (await lane.ask())[0] == LONG_WAY + BODY
    await lane.schema.execute(lane.schema.read(QUERY), None, lane.ctx)
    assert b"exec_1" in (await lane.ask())[0]


async def test_an_operation_that_was_read_anew(lane: Lane) -> None:
    """A document that was forgotten and comes again is answered by the short way again."""
    await lane.ask()
    lane.schema._documents._valid.clear()
    lane.start()
    assert (await lane.ask())[0] == LONG_WAY + BODY
    await lane.schema.execute(lane.schema.read(QUERY), None, lane.ctx)
    assert b"exec_1" in (await lane.ask())[0]


@pytest.mark.parametrize(
    "head",
    [
        {"host": "elsewhere"},
        {"content_type": "text/plain"},
        {"content_encoding": "gzip"},
        {"accept": "text/event-stream"},
        {"accept": "image/png"},
    ],
)
async def test_a_head_that_is_not_plain(lane: Lane, head: dict[str, str]) -> None:
    """Whoever may not come in, or asks for something else: also after one who may."""
    for _ in range(2):
        assert (await lane.ask())[0] != LONG_WAY + BODY
        assert (await lane.ask(**head))[0] == LONG_WAY + BODY


@pytest.mark.parametrize(
    "pieces",
    [
        (BODY[:9], BODY[9:]),
        (BODY + b" " * LONGEST_BODY,),
        (b"no JSON",),
        (b"{}",),
        (b'{"query": "{"}',),
        (json.dumps({"query": QUERY, "operationName": "other"}).encode(),),
    ],
)
async def test_a_body_that_is_not_plain(lane: Lane, pieces: tuple[bytes, ...]) -> None:
    """It reaches the application as it came, which says what is wrong."""
    assert (await lane.ask("/graphql", *pieces))[0] == LONG_WAY + b"".join(pieces)


async def test_a_preferred_type(lane: Lane) -> None:
    """The one that the client names first."""
    _, fields = await lane.ask(accept="application/graphql-response+json")
    assert fields[b"content-type"].startswith(b"application/graphql-response+json")


async def test_a_long_body_that_is_known(lane: Lane) -> None:
    """It is read each time."""
    body = BODY + b" " * 5000
    for _ in range(2):
        assert b"exec_0" in (await lane.ask("/graphql", body))[0]
    assert not lane.express._asked


async def test_another_address(lane: Lane) -> None:
    """What is asked in the address is no body."""
    assert (await lane.ask(query=b"query=%7Bserver%7D"))[0] == LONG_WAY + BODY
    assert (await lane.ask("/api/executions"))[0] == LONG_WAY
    assert (await lane.ask("/healthz"))[0] == LONG_WAY


async def test_lists_of_rest(lane: Lane) -> None:
    """They are known once somebody has asked for them."""
    ways = {
        "/api/executions": await executions_list(lane.ctx, EVERYTHING),
        "/api/executions/running": await executions_list(
            lane.ctx, FILTERS["running"], counted=True
        ),
    }
    for path, known in ways.items():
        body, fields = await lane.ask(path)
        assert body == known
        assert fields[b"content-type"] == b"application/json"


def test_the_short_way_and_the_long_one(server: ServerProcess) -> None:
    """The fields of the second answer are those of the first, over both doors."""
    asked = {"query": "{ executions(limit: 0) { id } }"}
    for ask in (
        lambda: server.client.post("/graphql", json=asked),
        lambda: server.client.get("/api/executions"),
        lambda: server.client.get("/api/executions/running"),
    ):
        first, second = ask(), ask()
        assert first.status_code == second.status_code == 200
        assert first.headers.keys() == second.headers.keys()
        for name in first.headers.keys() - {"date", "content-length"}:
            assert first.headers[name] == second.headers[name]
