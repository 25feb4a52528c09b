"""A local HTTP server that streams answers as language model providers do, or fails as told."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

INPUT_TOKENS, OUTPUT_TOKENS = 1000, 200


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request is answered, and what becomes of the answer after its pieces.

    It ends, hangs until the client leaves, is cut off, or stops short of the protocol's own end;
    with `reset` the connection breaks before there is any answer.
    """

    pieces: tuple[str, ...] = ("Good ", "morning")
    status: int = 200
    message: str = ""
    then: Literal["end", "hang", "cut", "stop short", "reset"] = "end"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it has arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ModelServer:
    """Answers with its `replies` in turn, and with the last one from then on."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = deque(replies or [Reply()])
        self.asked: list[Asked] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.hung_up = asyncio.Event()
        """A client has left in the middle of an answer."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._connections.values():
            writer.close()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while asked := await _request(reader):
                self.asked.append(asked)
                reply = self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
                await self._answer(asked, reply, reader, writer)
        except ConnectionError:
            self.hung_up.set()
        finally:
            del self._connections[task]
            writer.close()

    async def _answer(
        self,
        asked: Asked,
        reply: Reply,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if reply.status != 200:
            return await _refuse(asked, reply, writer)
        if reply.then == "reset":
            return _reset(writer)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        opening, *pieces, closing = _frames(asked, reply)
        for frame in filter(None, (opening, *pieces)):
            _chunk(writer, frame)
            await writer.drain()
        match reply.then:
            case "hang":
                await reader.read(1)
                self.hung_up.set()
            case "cut":
                writer.close()
            case "stop short":
                _chunk(writer, "")
            case _:
                _chunk(writer, closing)
                _chunk(writer, "")
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Asked(first.split()[1], headers, json.loads(body))


async def _refuse(asked: Asked, reply: Reply, writer: asyncio.StreamWriter) -> None:
    error = {"message": reply.message, "type": "refused", "code": reply.status, "status": "REFUSED"}
    body = json.dumps({"type": "error", "error": error}).encode()
    writer.write(f"HTTP/1.1 {reply.status} Refused\r\ncontent-type: application/json\r\n".encode())
    writer.write(f"content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    # Without lingering, closing a socket is a reset.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def _chunk(writer: asyncio.StreamWriter, text: str) -> None:
    data = text.encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _frames(asked: Asked, reply: Reply) -> Iterator[str]:
    """What opens the answer, each of its pieces, and what closes it."""
    if asked.path.endswith("/messages"):
        return _anthropic(asked.body["model"], reply.pieces)
    if asked.path.endswith("/chat/completions"):
        return _openai(asked.body["model"], reply.pieces)
    return _google(asked.path.rsplit("/")[-1].partition(":")[0], reply.pieces)


def _anthropic(model: str, pieces: tuple[str, ...]) -> Iterator[str]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    block = {"type": "text", "text": ""}
    yield _named({"type": "message_start", "message": message}) + _named(
        {"type": "content_block_start", "index": 0, "content_block": block}
    )
    for piece in pieces:
        delta = {"type": "text_delta", "text": piece}
        yield _named({"type": "content_block_delta", "index": 0, "delta": delta})
    yield (
        _named({"type": "content_block_stop", "index": 0})
        + _named(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": OUTPUT_TOKENS},
            }
        )
        + _named({"type": "message_stop"})
    )


def _openai(model: str, pieces: tuple[str, ...]) -> Iterator[str]:
    def chunk(*choices: dict[str, Any], **more: Any) -> str:
        head = {"id": "chat_1", "object": "chat.completion.chunk", "created": 1, "model": model}
        return _data(head | {"choices": choices} | more)

    yield chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
    for piece in pieces:
        yield chunk({"index": 0, "delta": {"content": piece}, "finish_reason": None})
    usage = {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    done = chunk({"index": 0, "delta": {}, "finish_reason": "stop"})
    yield done + chunk(usage=usage) + "data: [DONE]\n\n"


def _google(model: str, pieces: tuple[str, ...]) -> Iterator[str]:
    def chunk(text: str, **more: Any) -> str:
        content = {"role": "model", "parts": [{"text": text}]}
        return _data({"candidates": [{"index": 0, "content": content, **more}], **common})

    usage = {"promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS}
    common = {"usageMetadata": usage, "modelVersion": model, "responseId": "response_1"}
    yield ""
    for piece in pieces:
        yield chunk(piece)
    yield chunk("", finishReason="STOP")


def _named(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\n{_data(event)}"


def _data(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"
