"""The messages of a client, as https://github.com/enisdenjo/graphql-ws has them in PROTOCOL.md."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from .request import BadRequest, GraphQLRequest, read_json


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class Subscribe:
    id: str
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Complete:
    id: str


Message: TypeAlias = ConnectionInit | Ping | Pong | Subscribe | Complete


def read_message(text: str) -> Message:
    """A message that a client may send.

    Raises:
        BadRequest: it is none; what the socket is closed with 4400 for.
    """
    try:
        content = read_json(text)
    except ValueError:
        raise BadRequest("A message must be JSON") from None
    if not isinstance(content, dict):
        raise BadRequest("A message must be an object")
    match content.get("type"):
        case "connection_init":
            return ConnectionInit(_payload(content) or {})
        case "ping":
            return Ping(_payload(content))
        case "pong":
            _payload(content)
            return Pong()
        case "subscribe":
            return Subscribe(_id(content), GraphQLRequest.of(content.get("payload")))
        case "complete":
            return Complete(_id(content))
        case str(kind):
            raise BadRequest(f"A client cannot send {kind[:30]!r}")
        case _:
            raise BadRequest("A message needs a type, which is a text")


def _payload(content: dict[str, Any]) -> dict[str, Any] | None:
    payload = content.get("payload")
    if payload is None or isinstance(payload, dict):
        return payload
    raise BadRequest("The payload must be an object")


def _id(content: dict[str, Any]) -> str:
    id = content.get("id")
    if isinstance(id, str) and id:
        return id
    raise BadRequest("The id must be a text, and not an empty one")
