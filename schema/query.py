"""What can be asked."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import strawberry
from strawberry import ID, UNSET
from strawberry.types.nodes import SelectedField, Selection

from ..core.errors import NotFound, Unavailable
from ..core.execution import model
from ..core.execution.page import OrderField, PageRequest
from ..resolvers.executions import get_execution, is_live
from ..resolvers.history import list_problems as list_problems_of_history
from ..resolvers.lists import (
    find_executions,
    list_executions,
    page_executions,
    page_live,
    takes_long,
)
from ..resolvers.pipelines import get_pipeline, list_pipelines, list_problems
from ..resolvers.server import server_state
from .connection import ExecutionConnection
from .context import Info
from .enums import ExecutionStatus
from .errors import as_graphql_errors, graphql_error
from .execution import Execution
from .fair_list import fair_list
from .history import HistoryProblem
from .inputs import ExecutionFilter, ExecutionOrder, filter_of, given
from .node import Node
from .pipeline import Pipeline, PipelineProblem
from .reads import NotAtOnce, reads
from .scalars import DateTime

argument = strawberry.argument

LARGE = frozenset({"input", "output", "log"})
"""Fields of executions and stages for which the history must read all of a record."""


@strawberry.type(description="The current state of the server.")
class Server:
    version: str = strawberry.field(description="The release of runcast.")
    engine: str = strawberry.field(
        description="Where executions run: `embedded` is this process, `cluster` are workers."
    )
    replica: str = strawberry.field(description="Which process has answered: its host and number.")
    stale: bool = strawberry.field(
        description="Whether something may have happened that this process does not know yet: the "
        "broker is away."
    )
    server_time: DateTime = strawberry.field(description="The server's current time.")
    retention_seconds: int = strawberry.field(
        description="How many seconds an execution stays in the list after its end."
    )
    running: int = strawberry.field(description="How many executions run or are being cancelled.")
    queued: int = strawberry.field(description="How many executions are queued.")
    subscribers: int = strawberry.field(description="How many subscriptions are open.")


@strawberry.type(description="Reads executions, pipelines and the state of the server.")
class Query:
    @strawberry.field(
        description="Running and recently ended executions (ended at most 5 minutes ago), "
        "newest first.",
        metadata=reads(at_once=lambda _, info, **asked: _executions(info, **asked)),
    )
    async def executions(
        self,
        info: Info,
        status: Annotated[
            ExecutionStatus | None, argument(description="Only executions with this status.")
        ] = UNSET,
        filter: Annotated[
            ExecutionFilter | None, argument(description="Only executions that match.")
        ] = UNSET,
        limit: Annotated[
            int | None, argument(description="The maximum number to return; at most 10000.")
        ] = UNSET,
    ) -> list[Execution]:
        await info.context.ctx.loop_budget.checkpoint()
        with as_graphql_errors():
            found = await find_executions(info.context.ctx, filter_of(filter, status), given(limit))
        return fair_list(info, found, Execution.of)

    @strawberry.field(
        description="Active executions and, with includeHistory, those stored in the history, "
        "page by page.",
        metadata=reads(at_once=lambda _, info, **asked: _page_of_live(info, **asked)),
    )
    async def executions_connection(
        self,
        info: Info,
        filter: Annotated[
            ExecutionFilter | None, argument(description="Only executions that match.")
        ] = UNSET,
        order_by: Annotated[
            ExecutionOrder | None,
            argument(description="The sort order; latest start first by default."),
        ] = UNSET,
        first: Annotated[
            int | None,
            argument(
                description="The maximum number to return, from the start of the list or `after`."
            ),
        ] = UNSET,
        after: Annotated[
            str | None, argument(description="The cursor of the edge before the page.")
        ] = UNSET,
        last: Annotated[
            int | None,
            argument(
                description="The maximum number to return, from the end of the list or `before`."
            ),
        ] = UNSET,
        before: Annotated[
            str | None, argument(description="The cursor of the edge after the page.")
        ] = UNSET,
        include_history: Annotated[
            bool,
            argument(description="Whether to include executions that have left the active list."),
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
                whole=not LARGE.isdisjoint(selected_names(info.selected_fields)),
            )
        return ExecutionConnection.of(found)

    @strawberry.field(
        description="The execution with that id; null if there is none.",
        metadata=reads(at_once=lambda _, info, id: _live(info, id)),
    )
    async def execution(
        self, info: Info, id: Annotated[ID, argument(description="The id of the object.")]
    ) -> Execution | None:
        return await _execution(info, id)

    @strawberry.field(description="Every pipeline that can be started.", metadata=reads(moves=True))
    def pipelines(self, info: Info) -> list[Pipeline]:
        return [Pipeline.of(pipeline) for pipeline in list_pipelines(info.context.ctx)]

    @strawberry.field(
        description="Everything that is wrong with the pipeline files, in their order.",
        metadata=reads(moves=True),
    )
    def pipeline_problems(self, info: Info) -> list[PipelineProblem]:
        return [PipelineProblem.of(problem) for problem in list_problems(info.context.ctx)]

    @strawberry.field(
        description="What is wrong with the history now, and what it has lost since the server "
        "started; empty if all is well.",
        metadata=reads(moves=True),
    )
    def history_problems(self, info: Info) -> list[HistoryProblem]:
        return [
            HistoryProblem.of(problem) for problem in list_problems_of_history(info.context.ctx)
        ]

    @strawberry.field(
        description="The pipeline with that id; null if there is none.", metadata=reads(moves=True)
    )
    def pipeline(
        self,
        info: Info,
        id: Annotated[
            ID, argument(description="Its id, or the name of its file without the extension.")
        ],
    ) -> Pipeline | None:
        return _pipeline(info, id)

    @strawberry.field(description="The execution or pipeline with that id; null if there is none.")
    async def node(
        self, info: Info, id: Annotated[ID, argument(description="The id of the object.")]
    ) -> Node | None:
        return await _execution(info, id) or _pipeline(info, id)

    @strawberry.field(description="The current state of the server.", metadata=reads(moves=True))
    def server(self, info: Info) -> Server:
        state = server_state(info.context.ctx)
        return Server(
            version=state.version,
            engine=state.engine,
            replica=state.replica,
            stale=state.stale,
            server_time=DateTime(state.time),
            retention_seconds=int(state.retention),
            running=state.running,
            queued=state.queued,
            subscribers=state.subscribers,
        )


def selected_names(selections: Iterable[Selection]) -> Iterator[str]:
    """The names of all fields below, also those in fragments."""
    for selection in selections:
        if isinstance(selection, SelectedField):
            yield selection.name
        yield from selected_names(selection.selections)


def _executions(
    info: Info,
    status: ExecutionStatus | None = UNSET,
    filter: ExecutionFilter | None = UNSET,
    limit: int | None = UNSET,
) -> Sequence[model.Execution]:
    """
    Raises:
        NotAtOnce: it takes long.
        InvalidInput: the limit is out of bounds.
    """
    ctx, wanted = info.context.ctx, filter_of(filter, status)
    if takes_long(ctx, wanted):
        raise NotAtOnce
    return list_executions(ctx, wanted, given(limit))


def _page_of_live(
    info: Info,
    filter: ExecutionFilter | None = UNSET,
    order_by: ExecutionOrder | None = UNSET,
    first: int | None = UNSET,
    after: str | None = UNSET,
    last: int | None = UNSET,
    before: str | None = UNSET,
    include_history: bool = False,
) -> ExecutionConnection:
    """
    Raises:
        NotAtOnce: the history is asked, a duration, which the clock moves, is the order, or it
            takes long.
        InvalidInput: as `page_live`.
    """
    order = (given(order_by) or ExecutionOrder()).to_core()
    if include_history or order.field is OrderField.DURATION:
        raise NotAtOnce
    ctx, wanted = info.context.ctx, filter_of(filter)
    if takes_long(ctx, wanted, order):
        raise NotAtOnce
    request = PageRequest(given(first), given(after), given(last), given(before))
    return ExecutionConnection.of(page_live(ctx, wanted, order, request))


def _live(info: Info, id: str) -> model.Execution:
    """
    Raises:
        NotAtOnce: only the history can have it.
    """
    if not is_live(info.context.ctx, id):
        raise NotAtOnce
    return info.context.ctx.manager.get(id)


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
