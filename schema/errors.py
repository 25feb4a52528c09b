"""Errors of the core, as GraphQL says them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import strawberry
from graphql import GraphQLError
from strawberry import ID

from ..core.errors import RuncastError
from ..core.execution.model import Failure
from .context import Info
from .enums import ErrorCode


@strawberry.type(description="Why a mutation was not carried out.")
class UserError:
    code: ErrorCode = strawberry.field(description="The kind of error.")
    message: str = strawberry.field(description="What is wrong and how to fix it, in English.")
    path: list[str] = strawberry.field(
        description="The path to the argument that caused it; empty if none did."
    )

    @classmethod
    def of(cls, error: RuncastError) -> Self:
        return cls(code=ErrorCode(error.code), message=error.message, path=list(error.path))


@strawberry.type(description="What went wrong.")
class ExecutionError:
    type: str = strawberry.field(
        description="The kind of error: `ExitStatus`, `Timeout`, an exception's name."
    )
    message: str = strawberry.field(description="What happened, in words.")
    stage_id: ID | None = strawberry.field(
        description="The stage that failed; null if it was none of them."
    )
    traceback: str | None = strawberry.field(
        description="Where it happened in the code; only in debug mode."
    )

    @classmethod
    def maybe(cls, failure: Failure | None, info: Info) -> Self | None:
        """None if there is no failure."""
        if failure is None:
            return None
        return cls(
            type=failure.type,
            message=failure.message,
            stage_id=None if failure.stage_id is None else ID(failure.stage_id),
            traceback=failure.traceback if info.context.ctx.debug else None,
        )


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
