"""How operations are run: as Strawberry and graphql-core do, but for one leak."""

from typing import Any

from graphql import Executor as AnyExecutor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Forgets after each event of a subscription what it has found out about the event's fields.

    graphql-core 3.3.2 keeps that by the identity of lists that it makes anew for each event: a
    subscription would grow by some kilobytes an event for as long as it lives.
    """

    def build_per_event_executor(self, payload: Any) -> AnyExecutor[Any]:
        executor = super().build_per_event_executor(payload)
        # Private: tests/test_private_names.py looks for it.
        executor._relevant_sub_fields = {}
        return executor
