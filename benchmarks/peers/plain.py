"""Plain Strawberry on Starlette and uvicorn, all defaults, as its documentation has it.

Times lie ready as text, which spares it the work that runcast's `DateTime` is.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from store import Row, Store, follow_changes
from strawberry.asgi import GraphQL


@strawberry.enum
class ExecutionStatus(Enum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@strawberry.enum
class StageStatus(Enum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@strawberry.enum
class ProgressEvent(Enum):
    STAGE_CHANGED = "STAGE_CHANGED"
    OUTPUT = "OUTPUT"


@strawberry.type
class Stage:
    id: strawberry.ID
    name: str
    type: str
    status: StageStatus
    attempt: int
    duration_ms: float | None


@strawberry.type
class Execution:
    id: strawberry.ID
    pipeline_id: strawberry.ID
    pipeline_name: str
    status: ExecutionStatus
    start_time: str
    end_time: str | None
    duration_ms: float
    current_stage: int
    total_stages: int
    input_preview: str
    sequence: int
    stages: list[Stage]
    started_ms: strawberry.Private[int]


@strawberry.type
class StatusCount:
    status: ExecutionStatus
    count: int


@strawberry.type
class PageInfo:
    has_next_page: bool


@strawberry.type
class ExecutionConnection:
    total_count: int
    status_counts: list[StatusCount]
    nodes: list[Execution]
    page_info: PageInfo


@strawberry.type
class StageOutput:
    text: str


@strawberry.type
class ExecutionProgress:
    event: ProgressEvent
    sequence: int
    status: ExecutionStatus
    current_stage: int
    total_stages: int
    output: StageOutput | None


def stage_of(row: Row) -> Stage:
    return Stage(
        id=strawberry.ID(row["id"]),
        name=row["name"],
        type=row["type"],
        status=StageStatus[row["status"]],
        attempt=row["attempt"],
        duration_ms=row["durationMs"],
    )


def execution_of(row: Row) -> Execution:
    return Execution(
        id=strawberry.ID(row["id"]),
        pipeline_id=strawberry.ID(row["pipelineId"]),
        pipeline_name=row["pipelineName"],
        status=ExecutionStatus[row["status"]],
        start_time=row["startTime"],
        end_time=row["endTime"],
        duration_ms=row["durationMs"],
        current_stage=row["currentStage"],
        total_stages=row["totalStages"],
        input_preview=row["inputPreview"],
        sequence=row["sequence"],
        stages=[stage_of(stage) for stage in row["stages"]],
        started_ms=row["startedMs"],
    )


STORE = Store()
EXECUTIONS = {row["id"]: execution_of(row) for row in STORE.executions}
FOLLOWERS: dict[str, set[asyncio.Queue[ExecutionProgress]]] = {id: set() for id in EXECUTIONS}


def newest_first() -> list[Execution]:
    return sorted(EXECUTIONS.values(), key=lambda one: one.started_ms, reverse=True)


@strawberry.type
class Query:
    @strawberry.field
    def executions(self) -> list[Execution]:
        return newest_first()

    @strawberry.field
    def executions_connection(self, first: int) -> ExecutionConnection:
        # By id as well: a page has to end somewhere.
        found = sorted(EXECUTIONS.values(), key=lambda one: (one.started_ms, one.id), reverse=True)
        counts = Counter(one.status for one in found)
        return ExecutionConnection(
            total_count=len(found),
            status_counts=[StatusCount(status=one, count=counts[one]) for one in ExecutionStatus],
            nodes=found[:first],
            page_info=PageInfo(has_next_page=len(found) > first),
        )

    @strawberry.field
    def execution(self, id: strawberry.ID) -> Execution | None:
        return EXECUTIONS.get(id)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def execution_progress(
        self, id: strawberry.ID, after: str | None = None
    ) -> AsyncGenerator[ExecutionProgress]:
        queue = asyncio.Queue[ExecutionProgress]()
        FOLLOWERS[id].add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            FOLLOWERS[id].discard(queue)


def progress(id: str) -> None:
    publish(EXECUTIONS[id], ProgressEvent.STAGE_CHANGED, None)


def output(id: str, text: str) -> None:
    publish(EXECUTIONS[id], ProgressEvent.OUTPUT, StageOutput(text=text))


def publish(execution: Execution, event: ProgressEvent, output: StageOutput | None) -> None:
    execution.sequence += 1
    message = ExecutionProgress(
        event=event,
        sequence=execution.sequence,
        status=execution.status,
        current_stage=execution.current_stage,
        total_stages=execution.total_stages,
        output=output,
    )
    for queue in FOLLOWERS[execution.id]:
        queue.put_nowait(message)


async def list_rows(request: Request) -> JSONResponse:
    return JSONResponse({"executions": STORE.list_rows()})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    changes = asyncio.create_task(follow_changes(progress, output))
    yield
    changes.cancel()


graphql = GraphQL[None, None](strawberry.Schema(query=Query, subscription=Subscription))
app = Starlette(
    routes=[
        Route("/api/executions", list_rows),
        Route("/graphql", graphql, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", graphql),
    ],
    lifespan=lifespan,
)

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        # Without a line in the log for each request and connection, as the others are.
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
