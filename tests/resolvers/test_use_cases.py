"""The use cases by themselves: core values in, core values out."""

import pytest
from runcast.core.errors import AlreadyEnded, CapacityReached, InvalidInput, NotFound
from runcast.core.execution.events import Began, Ended
from runcast.core.execution.filter import EVERYTHING, ExecutionFilter
from runcast.core.execution.model import EndReason, Status
from runcast.core.execution.page import PageRequest
from runcast.resolvers import executions, lists, pipelines
from runcast.resolvers.context import Context
from runcast.resolvers.server import server_state
from samples import ScriptedEngine


async def started(ctx: Context, pipeline: str = "echo") -> str:
    return (await executions.start_execution(ctx, pipeline, "hello")).execution.id


async def test_start(context: Context) -> None:
    """A started execution can be read at once, with the mode that was chosen for it."""
    id = await started(context)
    execution = context.manager.get(id)
    assert execution.options.execution_mode == "cli"
    assert lists.list_executions(context) == [execution]


async def test_pipeline_is_looked_for_first(context: Context) -> None:
    """That there is no such pipeline is said before anything about the input."""
    with pytest.raises(NotFound, match="Pipeline not found"):
        await executions.start_execution(context, "none", None, execution_mode="bogus")


async def test_input_before_mode(context: Context) -> None:
    """What is wrong with the input is said before what is wrong with the mode."""
    with pytest.raises(InvalidInput, match="Input is required"):
        await executions.start_execution(context, "echo", " ", execution_mode="bogus")


async def test_refused_by_the_engine(context: Context, engine: ScriptedEngine) -> None:
    """What the engine refuses leaves nothing behind."""
    engine.refusal = CapacityReached("full")
    with pytest.raises(CapacityReached):
        await started(context)
    assert lists.list_executions(context) == []


async def test_cancel_tells_why_not(context: Context, engine: ScriptedEngine) -> None:
    """A refused cancel is an answer with the error, and the execution if there is one."""
    id = await started(context)
    await engine.say(Began(id, 1), Ended(id, 2, Status.COMPLETED, EndReason.FINISHED))
    ended = await executions.cancel_execution(context, id)
    assert (ended.accepted, type(ended.error)) == (False, AlreadyEnded)
    assert ended.execution == context.manager.get(id)
    unknown = await executions.cancel_execution(context, "x")
    assert (unknown.accepted, unknown.execution, type(unknown.error)) == (False, None, NotFound)


async def test_cancel_many(context: Context, engine: ScriptedEngine) -> None:
    """Only what has not ended is cancelled, and a dry run cancels nothing."""
    ids = [await started(context) for _ in range(3)]
    await engine.say(Began(ids[0], 1), Ended(ids[0], 2, Status.COMPLETED, EndReason.FINISHED))
    dry = await executions.cancel_executions(context, EVERYTHING, dry_run=True)
    assert [(one.accepted, one.error) for one in dry] == [(False, None)] * 2
    assert server_state(context).queued == 2
    done = await executions.cancel_executions(context, EVERYTHING, "enough")
    assert {one.execution.id for one in done if one.execution and one.accepted} == set(ids[1:])
    assert [one.status for one in lists.list_executions(context)] == [
        Status.CANCELLED,
        Status.CANCELLED,
        Status.COMPLETED,
    ]


async def test_retry_needs_its_pipeline(context: Context) -> None:
    """What never was cannot be retried."""
    with pytest.raises(NotFound, match="Execution not found"):
        await executions.retry_execution(context, "x")


async def test_counts_of_a_page(context: Context, engine: ScriptedEngine) -> None:
    """The counts of a page leave the filter's statuses aside, its length does not."""
    ids = [await started(context) for _ in range(3)]
    await started(context, "gate")
    await engine.say(Began(ids[0], 1))
    filter = ExecutionFilter(status=frozenset({Status.RUNNING}), pipeline_id=frozenset({"echo"}))
    page = await lists.page_executions(context, filter, request=PageRequest(first=10))
    assert page.total == 1
    assert page.counts == dict.fromkeys(Status, 0) | {Status.QUEUED: 2, Status.RUNNING: 1}
    assert page.cursor == context.manager.list_cursor()


@pytest.mark.parametrize("limit", [-1, lists.MAX_LIST + 1])
async def test_limit(context: Context, limit: int) -> None:
    """A list cannot be longer than MAX_LIST, or shorter than nothing."""
    with pytest.raises(InvalidInput) as refused:
        lists.list_executions(context, limit=limit)
    assert refused.value.path == ("limit",)


async def test_watch_of_nothing(context: Context) -> None:
    """What never was cannot be watched; that is said at once and not at the first message."""
    with pytest.raises(NotFound):
        executions.watch_execution(context, "x")


async def test_server_state(context: Context, engine: ScriptedEngine) -> None:
    """The state counts what runs and what waits, and says who it is."""
    ids = [await started(context) for _ in range(3)]
    await engine.say(Began(ids[0], 1))
    state = server_state(context)
    assert (state.running, state.queued, state.subscribers) == (1, 2, 0)
    assert (state.version, state.engine, state.retention) == ("1.2.3", "scripted", 60)


async def test_pipelines(context: Context) -> None:
    """A pipeline is found by its id and by its file's name."""
    assert pipelines.get_pipeline(context, "several") in pipelines.list_pipelines(context)
    assert pipelines.get_pipeline(context, "several").id == "several-v1"
    with pytest.raises(NotFound):
        pipelines.get_pipeline(context, "several.yaml")
