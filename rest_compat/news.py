"""The messages of `/ws`: the old events that lie between two states of an execution.

Section 4 of the REST contract. Because the states are compared and nothing is remembered, a
catch-up, a live change and a gap where changes were lost are one and the same thing.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import TypeAlias

from ..core.execution.model import Execution, StageRun, StageStatus, Status
from ..core.results.result import stage_error
from .shapes import result, shown_output

News: TypeAlias = dict[str, object]

STARTED = "execution:started"
COMPLETED = "execution:completed"


class _Phase(IntEnum):
    """How much of a stage has been sent."""

    WAITING = 0
    STARTED = 1
    OVER = 2


def news(before: Execution | None, after: Execution) -> list[News]:
    """The events from one state (None: before all) to a later one, in the order of the contract.

    A running stage is over as soon as its execution is being cancelled: the old clients close their
    sockets on `execution:cancelled`. After that only `execution:completed` is sent.
    """
    events: list[News] = []
    if before is None:
        events.append(_started(after))
    if before is None or not _is_cancelled(before):
        events.extend(_of_stages(before, after))
        if _is_cancelled(after):
            events.append({"type": "execution:cancelled", "executionId": after.id})
    if after.status.terminal and not (before and before.status.terminal):
        events.append(_completed(after))
    return events


def _of_stages(before: Execution | None, after: Execution) -> Iterator[News]:
    for index, stage in enumerate(after.stages):
        old = _Phase.WAITING if before is None else _phase(before, before.stages[index])
        new = _phase(after, stage)
        if old < _Phase.STARTED <= new:
            yield _event("stage:started", after, stage) | {
                "index": index,
                "total": after.total_stages,
            }
        if old < _Phase.OVER <= new:
            yield from _end_of_stage(after, stage)


def _phase(execution: Execution, stage: StageRun) -> _Phase:
    if stage.status is StageStatus.PENDING:
        return _Phase.WAITING
    if stage.status.terminal or _is_cancelled(execution):
        return _Phase.OVER
    return _Phase.STARTED


def _is_cancelled(execution: Execution) -> bool:
    return execution.status in (Status.CANCELLING, Status.CANCELLED)


def _end_of_stage(execution: Execution, stage: StageRun) -> Iterator[News]:
    if stage.status is StageStatus.SKIPPED:
        yield _event("stage:skipped", execution, stage) | {"reason": stage.skip_reason or ""}
        return
    if stage.log.head:
        yield _output(execution, stage)
    if stage.status is StageStatus.COMPLETED:
        ended = {
            "status": "completed",
            "cost": stage.usage.cost_usd,
            "duration": stage.duration_ms or 0,
        }
        yield _event("stage:completed", execution, stage) | {"result": ended}
    else:
        yield _event("stage:failed", execution, stage) | {"error": stage_error(stage)}


def _event(type: str, execution: Execution, stage: StageRun) -> News:
    shown = {"id": stage.id, "name": stage.name, "type": stage.type}
    return {"type": type, "executionId": execution.id, "stage": shown}


def _output(execution: Execution, stage: StageRun) -> News:
    return {
        "type": "stage:output",
        "executionId": execution.id,
        "stageId": stage.id,
        "output": shown_output(stage),
        "isFinal": True,
    }


def _started(execution: Execution) -> News:
    return {
        "type": STARTED,
        "executionId": execution.id,
        "pipelineId": execution.pipeline_id,
        "pipelineName": execution.pipeline_name,
        "stageCount": execution.total_stages,
    }


def _completed(execution: Execution) -> News:
    ended = {**result(execution), "pipelineId": execution.pipeline_id}
    return {"type": COMPLETED, "executionId": execution.id, "result": ended}
