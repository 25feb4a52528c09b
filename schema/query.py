"""What can be asked."""

from typing import Annotated

import strawberry
from strawberry import ID, UNSET

from ..core.errors import NotFound, Unavailable
from ..core.execution.page import PageRequest
from ..resolvers.executions import get_execution, list_executions, page_executions
from ..resolvers.pipelines import get_pipeline, list_pipelines
from ..resolvers.server import server_state
from .connection import ExecutionConnection
from .context import Info
from .enums import ExecutionStatus
from .errors import as_graphql_errors, graphql_error
from .execution import Execution
from .fair_list import fair_list
from .inputs import ExecutionFilter, ExecutionOrder, filter_of, given
from .node import Node
from .pipeline import Pipeline
from .scalars import DateTime

argument = strawberry.argument


@strawberry.type(description="The server at this moment.")
class Server:
    version: str = strawberry.field(description="Which release of runcast it is.")
    engine: str = strawberry.field(description="Where executions run: `embedded` is this process.")
    server_time: DateTime = strawberry.field(description="The server's clock.")
    retention_seconds: int = strawberry.field(
        description="How long an execution stays in the list after its end."
    )
    running: int = strawberry.field(description="How many executions run or are being cancelled.")
    queued: int = strawberry.field(description="How many executions wait for their turn.")
    subscribers: int = strawberry.field(description="How many subscriptions are open.")


@strawberry.type(description="What can be asked.")
class Query:
    @strawberry.field(
        description="Running and recently ended executions (ended at most 5 minutes ago), "
        "newest first."
    )
    async def executions(
        self,
        info: Info,
        status: Annotated[
            ExecutionStatus | None, argument(description="Only those of this status.")
        ] = UNSET,
        filter: Annotated[
            ExecutionFilter | None, argument(description="Only those that match.")
        ] = UNSET,
        limit: Annotated[
            int | None, argument(description="At most this many; up to 10000.")
        ] = UNSET,
    ) -> list[Execution]:
        await info.context.ctx.loop_budget.checkpoint()
        with as_graphql_errors():
            found = list_executions(info.context.ctx, filter_of(filter, status), given(limit))
        return fair_list(info, found, Execution.of)

    @strawberry.field(
        description="Active executions and, with includeHistory, all that the history still "
        "holds, page by page."
    )
    async def executions_connection(
        self,
        info: Info,
        filter: Annotated[
            ExecutionFilter | None, argument(description="Only those that match.")
        ] = UNSET,
        order_by: Annotated[
            ExecutionOrder | None, argument(description="Latest start first, if left out.")
        ] = UNSET,
        first: Annotated[
            int | None, argument(description="At most this many, from the beginning or `after`.")
        ] = UNSET,
        after: Annotated[
            str | None, argument(description="The cursor of the edge before the page.")
        ] = UNSET,
        last: Annotated[
            int | None, argument(description="At most this many, from the end or `before`.")
        ] = UNSET,
        before: Annotated[
            str | None, argument(description="The cursor of the edge behind the page.")
        ] = UNSET,
        include_history: Annotated[
            bool, argument(description="Also what has left the list of active executions.")
        ] = False,
    ) -> ExecutionConnection:
        order = given(order_by) or ExecutionOrder()
        request = PageRequest(given(first), given(after), given(last), given(before))
        await info.context.ctx.loop_budget.checkpoint()
        with as_graphql_errors():
            found = await page_executions(
                info.context.ctx,
                filter_of(filter),
                order.to_core(),
                request,
                include_history=include_history,
            )
        return ExecutionConnection.of(info, found)

    @strawberry.field(description="One execution; null if there is none of that id.")
    async def execution(
        self, info: Info, id: Annotated[ID, argument(description="Which one.")]
    ) -> Execution | None:
        return await _execution(info, id)

    @strawberry.field(description="Every pipeline that can be started.")
    def pipelines(self, info: Info) -> list[Pipeline]:
        return [Pipeline.of(pipeline) for pipeline in list_pipelines(info.context.ctx)]

    @strawberry.field(description="One pipeline; null if there is none of that id.")
    def pipeline(
        self,
        info: Info,
        id: Annotated[ID, argument(description="Its id, or its file's name without the ending.")],
    ) -> Pipeline | None:
        return _pipeline(info, id)

    @strawberry.field(description="An execution or a pipeline; null if there is none of that id.")
    async def node(
        self, info: Info, id: Annotated[ID, argument(description="Which one.")]
    ) -> Node | None:
        return await _execution(info, id) or _pipeline(info, id)

    @strawberry.field(description="How the server is doing.")
    def server(self, info: Info) -> Server:
        state = server_state(info.context.ctx)
        return Server(
            version=state.version,
            engine=state.engine,
            server_time=DateTime(state.time),
            retention_seconds=int(state.retention),
            running=state.running,
            queued=state.queued,
            subscribers=state.subscribers,
        )


async def _execution(info: Info, id: str) -> Execution | None:
    await info.context.ctx.loop_budget.checkpoint()
    try:
        return Execution.of(await get_execution(info.context.ctx, id))
    except NotFound:
        return None
    except Unavailable as error:
        raise graphql_error(error) from None


def _pipeline(info: Info, id: str) -> Pipeline | None:
    try:
        return Pipeline.of(get_pipeline(info.context.ctx, id))
    except NotFound:
        return None
