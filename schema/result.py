"""What an operation has given, as a response map and as its bytes."""

from collections.abc import Sequence
from typing import Any, Self, TypeAlias, cast

from graphql import GraphQLError

from ..core.json_value import dumps, loads

Formatted: TypeAlias = dict[str, Any]


class Result:
    """One execution result; `errors` are of fields, at most five.

    It has its response map, its bytes, or both: each is made once, from the other, when somebody
    asks for it. So one result can be sent to many, and bytes that were put together from others
    are never read.
    """

    __slots__ = ("_data", "_encoded", "errors")

    def __init__(self, data: Formatted | None, errors: Sequence[GraphQLError] = ()) -> None:
        self.errors = errors
        self._data = data
        self._encoded: bytes | None = None

    @classmethod
    def of_bytes(cls, encoded: bytes) -> Self:
        """From a whole response map without errors, in JSON."""
        result = cls(None)
        result._encoded = encoded
        return result

    @property
    def data(self) -> Formatted | None:
        if self._data is None and not self.errors and self._encoded is not None:
            self._data = cast("Formatted", loads(self._encoded))["data"]
        return self._data

    @property
    def formatted(self) -> Formatted:
        """The response map, section 7.1 of the GraphQL specification."""
        if not self.errors:
            return {"data": self.data}
        return {"errors": formatted_errors(self.errors), "data": self.data}

    @property
    def encoded(self) -> bytes:
        """The response map as JSON.

        Raises:
            NotJSON: JSON cannot represent it.
        """
        if self._encoded is None:
            self._encoded = dumps(self.formatted)
        return self._encoded


def formatted_errors(errors: Sequence[GraphQLError]) -> list[Formatted]:
    """As the GraphQL specification wants them in a response."""
    return [cast("Formatted", error.formatted) for error in errors]
