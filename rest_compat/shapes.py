"""What REST says of an execution: keys in this order, camelCase, times in epoch ms.

Sections 1.1 to 1.3 of the REST contract. A key that has nothing to say is left out, never null.
"""

from ..core.model import JSON, EndReason, Execution, StageRun, StageStatus, Status
from ..core.template import as_text
from ..core.text import beginning

OUTPUT_UNITS = 51_200
CUT = "\n...[output truncated]..."

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


def detail(execution: Execution) -> dict[str, object]:
    """Section 1.3 (a); `result` only once the execution has really ended."""
    shown = list_item(execution)
    del shown["inputPreview"]
    shown["input"] = execution.input
    shown["stages"] = [stage_progress(stage) for stage in execution.stages]
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
    elif stage.status is StageStatus.FAILED and stage.error is not None:
        shown["error"] = stage.error.message
    elif stage.status is StageStatus.CANCELLED:
        shown["error"] = "Cancelled"
    if stage.output.length and stage.status is not StageStatus.SKIPPED:
        shown["output"] = cut(stage.output.text(0, OUTPUT_UNITS + 1), stage.output.truncated)
    return shown


def result(execution: Execution) -> dict[str, object]:
    """What an ended execution came to."""
    shown: dict[str, object] = {
        "status": _result_word(execution),
        "output": result_output(execution),
    }
    if execution.error is not None:
        shown["error"] = execution.error.message
    shown["summary"] = summary(execution)
    return shown


def summary(execution: Execution) -> dict[str, object]:
    """The numbers of an execution: milliseconds, US dollars, tokens."""
    counts = dict.fromkeys(StageStatus, 0)
    for stage in execution.stages:
        counts[stage.status] += 1
    usage = execution.usage
    failed = counts[StageStatus.FAILED] + counts[StageStatus.CANCELLED]
    return {
        "stagesRun": counts[StageStatus.COMPLETED] + failed,
        "stagesSkipped": counts[StageStatus.SKIPPED],
        "stagesFailed": failed,
        "totalDuration": execution.duration_ms(execution.ended_at or execution.started_at),
        "totalCost": usage.cost_usd,
        "totalInputTokens": usage.input_tokens,
        "totalOutputTokens": usage.output_tokens,
    }


def result_output(execution: Execution) -> dict[str, JSON]:
    """Section 5.4: what each completed stage came to, and `optimizedPrompt` of the last of them."""
    done = [stage for stage in execution.stages if stage.status is StageStatus.COMPLETED]
    if not done:
        return {}
    last = done[-1].value
    optimized = last.get("optimizedPrompt") if isinstance(last, dict) else None
    return {
        "optimizedPrompt": cut_value(as_text(last) if optimized is None else optimized),
        **{stage.id: cut_value(stage.value) for stage in done},
    }


def cut(text: str, truncated: bool = False) -> str:
    """A text of at most OUTPUT_UNITS UTF-16 units, and a note where it was longer."""
    kept = beginning(text, OUTPUT_UNITS)
    return kept + CUT if truncated or len(kept) < len(text) else kept


def cut_value(value: JSON) -> JSON:
    """The same value with every text in it cut."""
    match value:
        case str():
            return cut(value)
        case list():
            return [cut_value(item) for item in value]
        case dict():
            return {key: cut_value(item) for key, item in value.items()}
    return value


def _result_word(execution: Execution) -> str:
    if execution.end_reason is EndReason.EARLY_EXIT:
        return "early_exit"
    if execution.status is Status.COMPLETED:
        return "success"
    return STATUS_WORDS[execution.status]
