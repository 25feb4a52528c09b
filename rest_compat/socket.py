"""`/ws`, the socket of the old clients: section 4 of the REST contract."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import NamedTuple, TypeAlias

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from ..core.errors import NotFound, Stopping
from ..core.execution.change import Change
from ..core.execution.events import ChangeKind
from ..core.execution.model import Execution
from ..core.json_value import CLIENT_DIGITS, dumps, loads
from ..resolvers.context import Context
from ..resolvers.executions import watch_execution
from ..resolvers.logs import spelled
from .admission import admit
from .answers import error
from .news import COMPLETED, News, news

MOST_SUBSCRIPTIONS = 100
MOST_ID_CHARACTERS = 200
MOST_CHARACTERS = 1 << 16
"""In a message."""
MOST_BYTES = 4 * MOST_CHARACTERS
"""In a message, as UTF-8: what is longer is not even read, and ends the socket (1009)."""
DISK_SECONDS = 5.0
"""How long `execution:completed` waits for the disk at most."""

Persisted: TypeAlias = Callable[[str], Awaitable[object]]
Admits: TypeAlias = Callable[[str | None], bool]


class OldSocket:
    """The sockets of `/ws`: `serve` is the endpoint.

    `persisted(execution_id)` returns once an ended execution is on disk: its record in the history,
    its result file. `admits` judges an `Authorization` header.
    """

    def __init__(self, ctx: Context, persisted: Persisted, admits: Admits) -> None:
        self._ctx = ctx
        self._persisted = persisted
        self._admits = admits

    async def serve(self, socket: WebSocket) -> None:
        """One socket, until its client goes."""
        if not self._admits(_credentials(socket)):
            await socket.send_denial_response(
                error("A token is needed: as Authorization: Bearer …, or as ?token=…", 401)
            )
            return
        admit(socket.scope, MOST_BYTES)
        await socket.accept()
        async with asyncio.TaskGroup() as tasks:
            conversation = _Conversation(self._ctx, socket, self._persisted, tasks)
            with suppress(WebSocketDisconnect, WebSocketDisconnected):
                await conversation.listen()
            conversation.leave()


class _Conversation:
    """One socket, what it follows, and an answer to each of its messages."""

    def __init__(
        self, ctx: Context, socket: WebSocket, persisted: Persisted, tasks: asyncio.TaskGroup
    ) -> None:
        self._ctx = ctx
        self._socket = socket
        self._persisted = persisted
        self._tasks = tasks
        self._follows: dict[str, asyncio.Task[None]] = {}

    async def listen(self) -> None:
        """Until the client goes."""
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            await self._answer(message.get("text") or message.get("bytes") or "")
            # Neither receiving nor sending yields while there is something to receive.
            await self._ctx.loop_budget.checkpoint()

    def leave(self) -> None:
        """Nothing is followed any more; what is followed runs on."""
        for task in self._follows.values():
            task.cancel()

    async def _answer(self, text: str | bytes) -> None:
        match _parsed(text):
            case {"type": "subscribe", "executionId": str(id)} if _fits(id):
                await self._subscribe(id)
            case {"type": "unsubscribe", "executionId": str(id)} if _fits(id):
                await self._unsubscribe(id)
            case {"type": "subscribe" | "unsubscribe"}:
                limit = f"1 to {MOST_ID_CHARACTERS} characters"
                await self._complain(f'"executionId" must be a text of {limit}')
            case None:
                await self._complain("Invalid message format")
            case _:
                await self._complain('"type" must be subscribe or unsubscribe')

    async def _subscribe(self, id: str) -> None:
        answer: News = {"type": "subscribed", "executionId": id, "success": True}
        if id in self._follows:
            await self._send(answer)
            return
        if len(self._follows) >= MOST_SUBSCRIPTIONS:
            full = f"A socket can follow {MOST_SUBSCRIPTIONS} executions: unsubscribe from one"
            await self._send(answer | {"success": False, "error": full})
            return
        try:
            # `news` needs the latest state only: a stalled socket then costs one for each.
            changes = watch_execution(self._ctx, id, limit=1)
        except NotFound:
            await self._send(answer | {"success": False})
            return
        await self._send(answer)
        task = self._tasks.create_task(self._follow(changes), name=f"runcast /ws {id}")
        self._follows[id] = task
        task.add_done_callback(lambda ended: self._forget(id, ended))

    async def _unsubscribe(self, id: str) -> None:
        if task := self._follows.pop(id, None):
            task.cancel()
        await self._send({"type": "unsubscribed", "executionId": id})

    def _forget(self, id: str, task: asyncio.Task[None]) -> None:
        if self._follows.get(id) is task:
            del self._follows[id]

    async def _follow(self, changes: AsyncGenerator[Change, None]) -> None:
        before = None
        # NotFound: it has ended and left in the moment since the client was answered.
        with suppress(NotFound, Stopping, WebSocketDisconnect, WebSocketDisconnected):
            async with aclosing(changes):
                async for change in changes:
                    if change.kind is ChangeKind.OUTPUT:
                        continue
                    now = change.execution
                    for message in await spelled(self._ctx, now, partial(_messages, before)):
                        await self._pass_on(now.id, message)
                    before = now

    async def _pass_on(self, execution_id: str, message: "_Message") -> None:
        if message.is_last:
            with suppress(TimeoutError):
                async with asyncio.timeout(DISK_SECONDS):
                    await self._persisted(execution_id)
        await self._send_text(message.text)

    async def _complain(self, message: str) -> None:
        await self._send({"type": "error", "message": message})

    async def _send(self, message: News) -> None:
        await self._send_text(dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        await self._socket.send_text(text)


class _Message(NamedTuple):
    text: str
    is_last: bool
    """Whether it says that the execution has ended."""


def _messages(before: Execution | None, after: Execution) -> list[_Message]:
    return [
        _Message(dumps(event).decode(), event["type"] == COMPLETED) for event in news(before, after)
    ]


async def upgrade_failed(request: Request) -> Response:
    """The answer to a request for `/ws` that is not a socket's."""
    return PlainTextResponse("WebSocket upgrade failed", 400)


def _credentials(socket: WebSocket) -> str | None:
    """Browsers cannot set a header on a socket: the token may be in the address."""
    token = socket.query_params.get("token")
    return socket.headers.get("authorization") if token is None else f"Bearer {token}"


def _parsed(text: str | bytes) -> object:
    """The JSON value; None also stands for what is no JSON, or too long: all have one answer."""
    try:
        return None if len(text) > MOST_CHARACTERS else loads(text, CLIENT_DIGITS)
    except ValueError:
        return None


def _fits(id: str) -> bool:
    return 0 < len(id) <= MOST_ID_CHARACTERS
