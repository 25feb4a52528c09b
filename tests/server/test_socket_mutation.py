"""What becomes of a mutation whose client does not wait for it."""

import asyncio
import json
from typing import Any

import patience
import pytest
from runcast.core.clock import SystemClock
from runcast.core.fairness import LoopBudget
from runcast.schema.executable import ExecutableSchema, Result
from runcast.schema.limits import Limits
from runcast.server.graphql.socket import PROTOCOL, Socket
from starlette.websockets import WebSocket

START = 'mutation { startExecution(pipelineId: "echo", input: "a") { existing } }'
SECONDS = 20


class SlowSchema(ExecutableSchema):
    """Reads as the real one does; an operation runs until it is let go."""

    def __init__(self) -> None:
        super().__init__(Limits(), introspection=True)
        self.begun, self.released = asyncio.Event(), asyncio.Event()
        self.ended = ""

    async def execute(self, *arguments: Any) -> Result:
        self.begun.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "carried through"
        return Result({})


class Line:
    """The server's end of a connection: what the client sends, and what it is sent."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: list[dict[str, Any]] = []
        self.incoming.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "subprotocols": [PROTOCOL], "headers": []}
        self.socket = WebSocket(scope, self.incoming.get, self._sent)

    def says(self, **message: object) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def goes(self) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def _sent(self, message: Any) -> None:
        if "text" in message:
            self.outgoing.append(json.loads(message["text"]))


class Timed:
    """A context that has nothing but a clock and a budget: nothing else is asked for here."""

    clock = SystemClock()
    loop_budget = LoopBudget()


@pytest.mark.parametrize("parting", ["complete", "disconnect"])
@pytest.mark.parametrize(
    ("query", "ended"), [(START, "carried through"), ("{ server { engine } }", "cancelled")]
)
async def test_operation_without_its_client(parting: str, query: str, ended: str) -> None:
    """A mutation that has begun is carried through; a query is not. Neither is answered."""
    line, schema = Line(), SlowSchema()
    socket = Socket(line.socket, schema, Timed(), lambda said: True)  # type: ignore[arg-type]
    life = asyncio.create_task(socket.serve())
    line.says(type="connection_init")
    line.says(id="1", type="subscribe", payload={"query": query})
    await asyncio.wait_for(schema.begun.wait(), SECONDS)
    if parting == "complete":
        line.says(id="1", type="complete")
        line.says(type="ping", payload={"after": "complete"})
        await patience.until(lambda: line.outgoing[-1]["type"] == "pong")
    line.goes()
    if ended == "carried through":
        schema.released.set()
    await asyncio.wait_for(life, SECONDS)
    assert schema.ended == ended
    assert {one["type"] for one in line.outgoing} <= {"connection_ack", "pong"}
