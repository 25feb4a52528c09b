"""What the resolvers of the schema find in `info.context`."""

from dataclasses import dataclass, field
from typing import TypeAlias

from strawberry.types import Info as StrawberryInfo

from ..resolvers.context import Context


@dataclass(slots=True)
class RequestContext:
    """One for each request, or for each socket."""

    ctx: Context
    authorization: str | None = None
    """The header of that name."""
    connection_params: dict[str, object] = field(default_factory=dict)
    """The payload of a socket's `connection_init`; Strawberry puts it here."""


Info: TypeAlias = StrawberryInfo[RequestContext, None]
