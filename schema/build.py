"""The schema, put together."""

import logging
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors, MaxTokensLimiter
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from .mutation import Mutation
from .query import Query
from .scalars import SCALARS
from .subscription import Subscription

MAX_TOKENS = 1000

logger = logging.getLogger("runcast.graphql")


class Schema(strawberry.Schema):
    """Logs what is our fault; what a client did wrong is told to the client and not logged."""

    async def execute(self, query: str | None, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Runs a query or a mutation; a subscription is refused: it has more than one result."""
        asked = kwargs.get("allowed_operation_types") or OperationType
        kwargs["allowed_operation_types"] = {*asked} - {OperationType.SUBSCRIPTION}
        return await super().execute(query, *args, **kwargs)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        for error in filter(_is_ours, errors):
            logger.error("%s", error.message, exc_info=error.original_error)


def build_schema() -> Schema:
    """The executable schema of the API; `schema/schema.graphql` is what it prints."""
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[
            # In the parser, so that a long document costs nothing but its reading.
            lambda: MaxTokensLimiter(MAX_TOKENS),
            lambda: MaskErrors(should_mask_error=_is_ours, error_message="Internal error"),
        ],
    )


def _is_ours(error: GraphQLError) -> bool:
    original = error.original_error
    return original is not None and not isinstance(original, GraphQLError)
