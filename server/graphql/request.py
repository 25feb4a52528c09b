"""What a client asks for, checked for its shape."""

import gc
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ...core.json_value import CLIENT_DIGITS, loads

SHA_256 = re.compile("[0-9a-f]{64}")


class BadRequest(Exception):
    """A body, an address or a message that is no GraphQL request; the text says why."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The request parameters of the GraphQL over HTTP specification, section 5.

    Of `extensions`, `persistedQuery` counts; nothing looks at the others.
    """

    query: str | None
    """None if there is a digest."""
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    digest: str | None = None
    """The SHA-256 of the document, as 64 hexadecimal digits."""

    @classmethod
    def of(cls, parameters: object) -> Self:
        """From an object that was JSON.

        Raises:
            BadRequest: it is no object, or a parameter is not of its type.
        """
        if isinstance(parameters, list):
            raise BadRequest("Batches are not supported: send one operation a request")
        if not isinstance(parameters, dict):
            raise BadRequest(f"A JSON object is needed, not {_kind(parameters)}")
        query = _parameter(parameters, "query", str, "a text")
        digest = _digest(_parameter(parameters, "extensions", dict, "an object") or {})
        if query is None and digest is None:
            raise BadRequest('The parameter "query" is missing: a text with a GraphQL document')
        return cls(
            query,
            _parameter(parameters, "operationName", str, "a text") or None,
            _parameter(parameters, "variables", dict, "an object"),
            digest,
        )

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """From the body of a POST.

        Raises:
            BadRequest: it is no JSON, or as in `of`.
        """
        return cls.of(_json(body, "The body"))

    @classmethod
    def from_address(cls, parameters: Mapping[str, str]) -> Self:
        """From the query string of a GET; a parameter that is empty counts as absent.

        Raises:
            BadRequest: as in `from_body`.
        """
        found: dict[str, object] = {name: text for name, text in parameters.items() if text}
        for name in ("variables", "extensions"):
            if text := parameters.get(name):
                found[name] = _json(text, f'The parameter "{name}"')
        return cls.of(found)


def read_json(text: str | bytes) -> Any:
    """Its value.

    The collector waits until it is whole: for a megabyte of brackets it would look through
    hundreds of thousands of new lists again and again, and take five times as long as the parser.

    Raises:
        ValueError: it is no JSON, or its numbers are too long.
    """
    gc.disable()
    try:
        return loads(text, CLIENT_DIGITS)
    finally:
        gc.enable()


def _json(text: str | bytes, what: str) -> object:
    try:
        return read_json(text)
    except ValueError as error:
        raise BadRequest(f"{what} is not JSON: {error}") from None


def _parameter(parameters: dict[str, object], name: str, kind: type, noun: str) -> Any:
    value = parameters.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise BadRequest(f'The parameter "{name}" must be {noun}, not {_kind(value)}')


def _digest(extensions: dict[str, object]) -> str | None:
    """That of a persisted query, as Apollo's clients send it."""
    asked = _parameter(extensions, "persistedQuery", dict, "an object")
    if asked is None:
        return None
    digest = asked.get("sha256Hash")
    if asked.get("version") != 1 or not isinstance(digest, str) or not SHA_256.fullmatch(digest):
        raise BadRequest(
            'The extension "persistedQuery" must have the version 1 and a sha256Hash, which is 64 '
            "hexadecimal digits in lower case"
        )
    return digest


def _kind(value: object) -> str:
    names = {bool: "a boolean", str: "a text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), "a number")
