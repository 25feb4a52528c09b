"""Errors of the core, as GraphQL says them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import strawberry
from graphql import GraphQLError

from ..core.errors import RuncastError
from .enums import ErrorCode


@strawberry.type(description="Why a mutation did not do what it was asked for.")
class UserError:
    code: ErrorCode = strawberry.field(description="What kind of refusal it is.")
    message: str = strawberry.field(description="What is wrong and what to do, in English.")
    path: list[str] = strawberry.field(
        description="The way to the argument that is to blame; empty if none is."
    )

    @classmethod
    def of(cls, error: RuncastError) -> Self:
        return cls(code=ErrorCode(error.code), message=error.message, path=list(error.path))


@contextmanager
def as_graphql_errors() -> Iterator[None]:
    """Raises an error of the core as one of GraphQL, with its code in `extensions.code`."""
    try:
        yield
    except RuncastError as error:
        if error.code is None:
            raise
        raise graphql_error(error) from None


def graphql_error(error: RuncastError) -> GraphQLError:
    return GraphQLError(error.message, extensions={"code": error.code})
