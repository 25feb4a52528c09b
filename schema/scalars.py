"""The scalars of the API."""

from datetime import UTC, datetime
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

DateTime = NewType("DateTime", int)
"""Epoch ms in the core, ISO 8601 in the API."""

JSON = NewType("JSON", object)


def _to_iso(moment: int) -> str:
    # divmod and not a division: a float would round milliseconds up or down.
    seconds, milliseconds = divmod(moment, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{milliseconds:03}Z"


def _from_iso(text: object) -> int:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise GraphQLError(f"DateTime: {text!r} is no ISO 8601 time, as 2026-01-31T12:00:00.000Z")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A moment in UTC as ISO 8601 with milliseconds: `2026-01-31T12:00:00.000Z`.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=_to_iso,
        parse_value=_from_iso,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value: text, number, boolean, list, object or null.",
        specified_by_url="https://ecma-international.org/publications-and-standards/standards/ecma-404/",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
