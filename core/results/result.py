"""The result of an ended execution, as the result files and REST spell it.

Sections 1.3, 3 and 5.4 of the REST contract.
"""

from ..execution.model import EndReason, Execution, StageRun, StageStatus, Status
from ..json_value import JSON, as_text
from ..text import beginning

OUTPUT_UNITS = 51_200
CUT = "\n...[output truncated]..."

RESULT_WORDS = {
    Status.COMPLETED: "success",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


def result_word(execution: Execution) -> str:
    """`success`, `early_exit`, `failed` or `cancelled`."""
    if execution.end_reason is EndReason.EARLY_EXIT:
        return "early_exit"
    return RESULT_WORDS[execution.status]


def summary(execution: Execution) -> dict[str, int | float]:
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


def waited(execution: Execution) -> int:
    """How many milliseconds an ended execution had waited before it ran."""
    return execution.queued_ms(execution.ended_at or execution.started_at)


def result_output(execution: Execution) -> dict[str, JSON]:
    """The value of each completed stage, and `optimizedPrompt` of the last of them."""
    done = [stage for stage in execution.stages if stage.status is StageStatus.COMPLETED]
    if not done:
        return {}
    return {
        "optimizedPrompt": cut_value(_optimized(done[-1])),
        **{stage.id: cut_value(stage.value) for stage in done},
    }


def value_text(stage: StageRun) -> str:
    """The value of a stage as text, with what no UTF-8 can represent replaced."""
    return as_text(stage.value).encode("utf-8", "replace").decode()


def _optimized(stage: StageRun) -> JSON:
    """What a stage calls so, or else its text: a model's as it was before it was read."""
    named = stage.value.get("optimizedPrompt") if isinstance(stage.value, dict) else None
    if named is not None:
        return named
    return as_text(stage.value) if stage.model is None else stage.log.head


def stage_error(stage: StageRun) -> str:
    """Why a stage has failed. The old clients know no cancelled stages: those have failed, too."""
    if stage.status is not StageStatus.FAILED:
        return "Cancelled"
    return "Failed" if stage.error is None else stage.error.message


def cut(text: str, truncated: bool = False) -> str:
    """A text of at most OUTPUT_UNITS UTF-16 units, and a note where it was longer."""
    start = beginning(text, OUTPUT_UNITS)
    return start + CUT if truncated or len(start) < len(text) else start


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
