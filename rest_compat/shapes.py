"""Executions as REST spells them: keys in this order, camelCase, times in epoch ms.

Sections 1.1 to 1.3 of the REST contract. A key without a value is left out, never null.
"""

from dataclasses import asdict

from ..core.execution.model import Execution, StageRun, StageStatus, Status
from ..core.live.manager import Started
from ..core.results.final_output import final_output
from ..core.results.result import (
    cut,
    result_output,
    result_word,
    stage_error,
    summary,
    waited,
)

STATUS_WORDS = {
    Status.QUEUED: "running",
    Status.RUNNING: "running",
    Status.CANCELLING: "cancelled",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}

# The old clients know no word for a cancelled stage, and would show it as running for ever.
STAGE_WORDS = {
    StageStatus.PENDING: "pending",
    StageStatus.RUNNING: "running",
    StageStatus.COMPLETED: "completed",
    StageStatus.SKIPPED: "skipped",
    StageStatus.FAILED: "failed",
    StageStatus.CANCELLED: "failed",
}

HISTORIC_NUMBERS = (
    "totalDuration",
    "totalCost",
    "stagesRun",
    "stagesSkipped",
    "stagesFailed",
)


def list_item(execution: Execution) -> dict[str, object]:
    """Section 1.1."""
    return {
        "id": execution.id,
        "pipelineId": execution.pipeline_id,
        "pipelineName": execution.pipeline_name,
        "status": STATUS_WORDS[execution.status],
        "startTime": execution.started_at,
        "currentStage": execution.current_stage,
        "totalStages": execution.total_stages,
        "inputPreview": execution.input_preview,
    }


def started_answer(started: Started) -> dict[str, object]:
    """Section 2.3; `existing` only where an earlier request with the same key started it, and
    `stored` only where the start is not on disk."""
    execution = started.execution
    shown: dict[str, object] = {
        "executionId": execution.id,
        "pipelineId": execution.pipeline_id,
        "status": "started",
        "executionMode": execution.options.execution_mode,
    }
    if started.existing:
        shown["existing"] = True
    if not started.stored:
        shown["stored"] = False
    return shown


def detail(execution: Execution, now: int) -> dict[str, object]:
    """Section 1.3 (a), `now` in epoch ms; `result` only once the execution has really ended."""
    shown = list_item(execution)
    del shown["inputPreview"]
    shown["input"] = execution.input
    shown["stages"] = [stage_progress(stage) for stage in execution.stages]
    shown["queuedMs"] = execution.queued_ms(now)
    if execution.ended_at is not None:
        shown["result"] = result(execution)
    return shown


def stage_progress(stage: StageRun) -> dict[str, object]:
    """One stage in `detail`."""
    shown: dict[str, object] = {
        "id": stage.id,
        "name": stage.name,
        "type": stage.type,
        "status": STAGE_WORDS[stage.status],
    }
    if stage.status is StageStatus.COMPLETED:
        shown["duration"] = stage.duration_ms
        shown["cost"] = stage.usage.cost_usd
    elif stage.status in (StageStatus.FAILED, StageStatus.CANCELLED):
        shown["error"] = stage_error(stage)
    if stage.log.head and stage.status is not StageStatus.SKIPPED:
        shown["output"] = shown_output(stage)
    return shown


def shown_output(stage: StageRun) -> str:
    """The beginning of what it has written, and a note where there is more."""
    return cut(stage.log.head, stage.log.goes_on)


def result(execution: Execution) -> dict[str, object]:
    """The result of an ended execution."""
    shown: dict[str, object] = {
        "status": result_word(execution),
        "output": result_output(execution),
    }
    if execution.error is not None:
        shown["error"] = execution.error.message
    shown["summary"] = summary(execution)
    return shown


def historic_detail(execution: Execution) -> dict[str, object]:
    """Section 1.3 (b): an execution that is history only."""
    numbers = summary(execution)
    shown = list_item(execution)
    del shown["inputPreview"]
    shown["currentStage"] = numbers["stagesRun"]
    shown["input"] = execution.input
    shown["stages"] = []
    shown["isHistorical"] = True
    shown["queuedMs"] = waited(execution)
    ended: dict[str, object] = {"status": STATUS_WORDS[execution.status]}
    if execution.error is not None:
        ended["error"] = execution.error.message
    if output := result_output(execution):
        ended["output"] = {"_extractedFinalOutput": asdict(final_output(output))}
    shown["result"] = ended | {"summary": {key: numbers[key] for key in HISTORIC_NUMBERS}}
    return shown


def history_record(execution: Execution) -> dict[str, object]:
    """Section 1.5: an ended execution in a list."""
    numbers = summary(execution)
    record: dict[str, object] = {
        "id": execution.id,
        "pipelineId": execution.pipeline_id,
        "pipelineName": execution.pipeline_name,
        "status": STATUS_WORDS[execution.status],
        "startTime": execution.started_at,
        "endTime": execution.ended_at,
        "duration": numbers["totalDuration"],
        "queuedMs": waited(execution),
        "totalStages": execution.total_stages,
        "stagesRun": numbers["stagesRun"],
        "stagesSkipped": numbers["stagesSkipped"],
        "stagesFailed": numbers["stagesFailed"],
        "inputPreview": execution.input_preview,
        "input": execution.input,
        "totalCost": numbers["totalCost"],
    }
    if execution.error is not None:
        record["error"] = execution.error.message
    if output := result_output(execution):
        final = final_output(output)
        record["finalOutput"] = final.content
        record["finalOutputType"] = final.type
        record["finalOutputLabel"] = final.label
    return record
