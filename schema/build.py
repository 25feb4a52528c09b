"""The schema, put together."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from .executor import Executor
from .mutation import Mutation
from .query import Query
from .scalars import SCALARS
from .subscription import Subscription


def build_schema() -> strawberry.Schema:
    """The types and resolvers of the API; `schema/schema.graphql` is what it prints."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        execution_context_class=Executor,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
