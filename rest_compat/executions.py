"""`/api/executions`: section 1 of the REST contract."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..core.errors import InvalidInput
from ..core.execution.filter import EVERYTHING, ExecutionFilter
from ..core.execution.model import Status
from ..core.json_value import EncodedJSON
from ..resolvers import executions as resolvers, history
from ..resolvers.context import Context
from .answers import answer, encoded, json_answer
from .body import check_type, json_object, text
from .client import while_connected
from .entity_tag import tagged
from .lists import executions_list
from .shapes import STATUS_WORDS, detail, historic_detail, history_record, started_answer

NO_OBJECT = "The body must be a JSON object"
WORDS = ("running", "completed", "failed", "cancelled")


def _filter_of(word: str) -> ExecutionFilter:
    return ExecutionFilter(
        status=frozenset(status for status in Status if STATUS_WORDS[status] == word)
    )


FILTERS = {word: _filter_of(word) for word in WORDS}


async def list_executions(ctx: Context, request: Request) -> Response:
    return tagged(request, json_answer(await executions_list(ctx, _asked_filter(request))))


async def list_running(ctx: Context, request: Request) -> Response:
    running = await executions_list(ctx, FILTERS["running"], counted=True)
    return tagged(request, json_answer(running))


async def show_execution(ctx: Context, request: Request) -> Response:
    """Section 1.3: as it is live, or else as the history has it."""
    return answer(await while_connected(request, _shown(ctx, request)))


async def _shown(ctx: Context, request: Request) -> EncodedJSON:
    execution = await resolvers.get_execution(ctx, request.path_params["id"])
    if resolvers.is_live(ctx, execution.id):
        now = ctx.clock.now()
        return await encoded(ctx, execution, lambda texts: detail(texts, now))
    return await encoded(ctx, execution, historic_detail)


async def list_history(ctx: Context, request: Request) -> Response:
    """Section 1.5; `page` counts from 1. `status` may narrow it, as it does the list."""
    return answer(await while_connected(request, _history(ctx, request)))


async def _history(ctx: Context, request: Request) -> dict[str, object]:
    page, page_size = _number(request, "page", 1), _number(request, "pageSize", 20)
    found = await history.list_history(ctx, page, page_size, _asked_filter(request))
    return {
        # One after the other: each may be large, and little of it is shown.
        "executions": [
            await encoded(ctx, await history.whole(ctx, one), history_record)
            for one in found.executions
        ],
        "total": found.total,
        "page": found.page,
        "pageSize": found.page_size,
        "totalPages": -(-found.total // found.page_size),
    }


async def cancel_execution(ctx: Context, request: Request) -> Response:
    """Section 1.4: true exactly once, false for everything that cannot be cancelled."""
    check_type(request)
    cancelled = await resolvers.cancel_execution(ctx, request.path_params["id"])
    return answer({"cancelled": cancelled.accepted})


async def retry_execution(ctx: Context, request: Request) -> Response:
    """As the mutation of that name; the body is optional, and so is all that is in it."""
    check_type(request)
    body = await json_object(request, NO_OBJECT) if await request.body() else {}
    started = await resolvers.retry_execution(
        ctx, request.path_params["id"], text(body, "fromStage"), text(body, "idempotencyKey")
    )
    return answer(started_answer(started))


async def only_post(request: Request) -> Response:
    """Section 0: a GET of a route that acts is a page that is not there."""
    raise HTTPException(404, f"Not found: {request.url.path} takes a POST")


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InvalidInput(f"{name} must be a whole number from 1 on, not {text!r}")
    return int(text)


def _asked_filter(request: Request) -> ExecutionFilter:
    words = request.query_params.getlist("status")
    if not words:
        return EVERYTHING
    chosen: frozenset[Status] = frozenset()
    for word in words:
        if word not in FILTERS:
            raise InvalidInput(f"unknown status {word!r}: use one of {', '.join(WORDS)}")
        chosen |= FILTERS[word].status or frozenset()
    return ExecutionFilter(status=chosen)
