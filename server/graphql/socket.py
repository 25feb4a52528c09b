"""GraphQL over WebSocket: the graphql-transport-ws protocol."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from ...core.json_value import EncodedJSON, dumps
from ...core.rate_limit import TokenBucket
from ...resolvers.context import Context
from ...rest_compat.admission import admit
from ...schema.document import RequestError
from ...schema.executable import ExecutableSchema, Interrupted, internal_error
from ...schema.measure import LIMIT_EXCEEDED
from ...schema.result import Result, formatted_errors
from ...schema.shared import ResultTaker
from ..message_size import LIMIT, MARGIN, MAX_BYTES, STRANGER_BYTES, MessageSize
from .message import Complete, ConnectionInit, Message, Ping, Subscribe, read_message
from .request import BadRequest, GraphQLRequest

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 10.0
PING_SECONDS = 15.0
MOST_OPERATIONS = 100
MESSAGE_BURST = 300
MESSAGES_PER_SECOND = 100


class Closed(Exception):
    """The server ends the connection, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        # A close frame has room for 123 bytes.
        self.reason = reason.encode()[:123].decode(errors="ignore")


class Socket:
    """One connection, from its handshake to its end."""

    def __init__(
        self,
        socket: WebSocket,
        schema: ExecutableSchema,
        ctx: Context,
        admits: Callable[[object], bool],
    ) -> None:
        self._socket = socket
        self._schema = schema
        self._ctx = ctx
        self._clock = ctx.clock
        self._admits = admits
        self._bucket = TokenBucket(ctx.clock, MESSAGE_BURST, MESSAGES_PER_SECOND)
        self._tasks = asyncio.TaskGroup()
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._mutating: set[asyncio.Task[None] | None] = set()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledged = False

    async def serve(self) -> None:
        """Until one side ends it."""
        if PROTOCOL not in self._socket["subprotocols"]:
            await self._socket.accept()
            await self._socket.close(4406, f"The subprotocol must be {PROTOCOL}")
            return
        await self._socket.accept(PROTOCOL)
        async with self._tasks:
            watch = self._tasks.create_task(self._keep_alive())
            with suppress(WebSocketDisconnect, WebSocketDisconnected):
                await self._listen()
            watch.cancel()
            for id in list(self._operations):
                self._complete(id)

    async def _listen(self) -> None:
        try:
            async for message in self._messages():
                await self._take(message)
                # Neither receiving nor sending yields while there is something to receive.
                await self._ctx.loop_budget.checkpoint()
        except Closed as end:
            await self._socket.close(end.code, end.reason)

    async def _messages(self) -> AsyncIterator[Message]:
        while (frame := await self._socket.receive())["type"] != "websocket.disconnect":
            yield self._read(frame.get("text"))

    def _read(self, text: str | None) -> Message:
        if not self._bucket.available:
            raise Closed(4429, "Too many messages")
        self._bucket.take()
        if text is None:
            raise Closed(4400, "A message must be text, not bytes")
        encoded = text.encode()
        if not self._acknowledged and len(encoded) > STRANGER_BYTES:
            raise Closed(1009, f"The first message may have {STRANGER_BYTES} bytes")
        if not MessageSize().fits(encoded):
            raise Closed(1009, f"A message may have {LIMIT}")
        try:
            return read_message(text)
        except BadRequest as error:
            raise Closed(4400, str(error)) from None

    async def _take(self, message: Message) -> None:
        match message:
            case ConnectionInit(payload):
                await self._begin(payload)
            case Ping(payload):
                await self._send(
                    {"type": "pong"} | ({} if payload is None else {"payload": payload})
                )
            case Subscribe(id, request):
                await self._subscribe(id, request)
            case Complete(id):
                self._complete(id)

    async def _begin(self, payload: dict[str, Any]) -> None:
        """Browsers cannot set a header on a socket: the token may be in the payload."""
        if self._begun.done():
            raise Closed(4429, "Too many initialisation requests")
        self._begun.set_result(None)
        header = self._socket.headers.get("authorization")
        said = payload.get("Authorization", payload.get("authorization", header))
        if not self._admits(said):
            raise Closed(4403, "Forbidden")
        self._acknowledged = True
        admit(self._socket.scope, MAX_BYTES + MARGIN)
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, id: str, request: GraphQLRequest) -> None:
        if not self._acknowledged:
            raise Closed(4401, "Unauthorized")
        if id in self._operations:
            raise Closed(4409, f"Subscriber for {id} already exists")
        if len(self._operations) >= MOST_OPERATIONS:
            message = f"A socket can have {MOST_OPERATIONS} operations: complete one first"
            full = GraphQLError(message, extensions={"code": LIMIT_EXCEEDED})
            await self._send(_error(id, RequestError(full)))
            return
        self._operations[id] = self._tasks.create_task(self._run(id, request))

    def _complete(self, id: str) -> None:
        """A mutation that has begun is carried through, though nobody waits for its result."""
        operation = self._operations.pop(id, None)
        if operation is not None and operation not in self._mutating:
            operation.cancel()

    async def _run(self, id: str, request: GraphQLRequest) -> None:
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            try:
                await self._answer(id, request)
                last = {"id": id, "type": "complete"}
            except Interrupted:
                # The close code, 1012, says it for all operations.
                return
            except RequestError as error:
                last = _error(id, error)
            except (WebSocketDisconnect, WebSocketDisconnected):
                raise
            except Exception as error:
                last = _error(id, RequestError(internal_error(error)))
            # Before the message, and not after: the id may be used again at once.
            if self._forget(id):
                await self._send(last)

    async def _answer(self, id: str, request: GraphQLRequest) -> None:
        operation = self._schema.read(request.query, request.operation_name, request.digest)
        if operation.kind is OperationType.SUBSCRIPTION:
            at_once = self._at_once(id)
            results = await self._schema.subscribe(operation, request.variables, self._ctx, at_once)
            async with aclosing(results):
                async for result in results:
                    await self._next(id, result)
            return
        task = asyncio.current_task()
        if operation.kind is OperationType.MUTATION:
            self._mutating.add(task)
        try:
            result = await self._schema.execute(operation, request.variables, self._ctx)
        finally:
            self._mutating.discard(task)
        await self._next(id, result)

    async def _next(self, id: str, result: Result) -> None:
        if self._is_current(id):
            await self._send({"id": id, "type": "next", "payload": EncodedJSON(result.encoded)})

    def _at_once(self, id: str) -> ResultTaker | None:
        """Sends results of this task while nothing waits for the client, and None if the server
        that we run in cannot: without waking the task, nor passing through all that is between.
        """
        send = self._socket.scope.get("state", {}).get("send_text_now")
        if send is None:
            return None
        task, head = asyncio.current_task(), b'{"id":%b,"type":"next","payload":' % dumps(id)

        def take(result: Result) -> bool:
            # If the client has completed it, the task is about to end.
            is_current = self._operations.get(id) is task
            return is_current and send(b"%b%b}" % (head, result.encoded))

        return take

    def _is_current(self, id: str) -> bool:
        """Whether the client still waits for the operation of this task, by this id."""
        return self._operations.get(id) is asyncio.current_task()

    def _forget(self, id: str) -> bool:
        current = self._is_current(id)
        if current:
            del self._operations[id]
        return current

    async def _keep_alive(self) -> None:
        try:
            async with asyncio.timeout(INIT_SECONDS):
                await self._begun
        except TimeoutError:
            await self._socket.close(4408, "Connection initialisation timeout")
            return
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            while True:
                await asyncio.sleep(PING_SECONDS)
                await self._send({"type": "ping"})

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._socket.send_text(dumps(message).decode())
        except RuntimeError:
            # uvicorn's word for a connection that it has closed by itself
            raise WebSocketDisconnect(1006) from None


def _error(id: str, error: RequestError) -> dict[str, Any]:
    return {"id": id, "type": "error", "payload": formatted_errors(error.errors)}
