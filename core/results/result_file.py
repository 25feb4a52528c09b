"""Result files: their names and what is in them.

Section 3 of the REST contract. Files of the old server have no `executionId`, and are read as well.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import InvalidInput
from ..execution.model import ID_PREFIX, EndReason, Execution, StageRun, StageStatus
from ..json_value import JSON, dumps, loads
from .result import cut, cut_value, result_output, result_word, stage_error, summary, waited

NAME = re.compile(r"result-[\w.-]{1,230}\.json", re.ASCII)
HEAD = re.compile(rb'^  "(pipelineId|status|timestamp)": (".*"),$', re.MULTILINE)
NUMBERS = re.compile(rb'^  "summary": (\{\n(?:    .*\n)*  \})', re.MULTILINE)

STAGE_WORDS = {
    StageStatus.COMPLETED: "completed",
    StageStatus.SKIPPED: "skipped",
    StageStatus.FAILED: "failed",
    StageStatus.CANCELLED: "failed",
}


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """A result file in a list of them; `duration` in ms, `cost` in US dollars."""

    filename: str
    pipeline_id: str
    status: str
    timestamp: str
    duration: int | None = None
    cost: float | None = None
    stages_run: int | None = None
    stages_skipped: int | None = None
    stages_failed: int | None = None

    @classmethod
    def read(cls, filename: str, content: bytes) -> "ResultSummary":
        """
        Raises:
            ValueError: this is not a result file.
        """
        return cls._of(filename, loads(content))

    @classmethod
    def of_ends(cls, filename: str, first: bytes, last: bytes) -> "ResultSummary":
        """The same of a large file, of which only the two ends are read.

        Only the keys of the whole have an indent of two: no text in JSON has a new line in it.

        Raises:
            ValueError: this is not a result file, or is one without an indent.
        """
        head = {key.decode(): loads(text) for key, text in HEAD.findall(first)}
        numbers = NUMBERS.search(last)
        found = {"summary": loads(numbers[1])} if numbers else {}
        return cls._of(filename, head | found)

    @classmethod
    def _of(cls, filename: str, content: JSON) -> "ResultSummary":
        match content:
            case {"pipelineId": str(id), "status": str(status), "timestamp": str(time), **rest}:
                found = rest.get("summary")
                numbers = found if isinstance(found, dict) else {}
            case _:
                raise ValueError(f"{filename} is not a result file")
        return cls(
            filename,
            id,
            status,
            time,
            duration=_whole(numbers.get("totalDuration")),
            cost=_number(numbers.get("totalCost")),
            stages_run=_whole(numbers.get("stagesRun")),
            stages_skipped=_whole(numbers.get("stagesSkipped")),
            stages_failed=_whole(numbers.get("stagesFailed")),
        )


def result_name(execution: Execution) -> str:
    """The name of its file: no other execution's file has it, whenever that one has ended.

    Raises:
        InvalidInput: the ids make no name that is safe.
    """
    second = _ended(execution).strftime("%Y-%m-%dT%H-%M-%S")
    name = f"result-{execution.pipeline_id}-{second}-{execution.id.removeprefix(ID_PREFIX)}.json"
    if NAME.fullmatch(name) is None or owner_of(name) != execution.id:
        raise InvalidInput(f"{name!r} cannot be the name of a result file")
    return name


def owner_of(filename: str) -> str:
    """The id of the execution whose `result_name` this is; of another file's name, of nobody."""
    return ID_PREFIX + filename.removesuffix(".json").rpartition("-")[2]


def result_content(execution: Execution) -> bytes:
    """What is in the file."""
    reached = [stage for stage in execution.stages if stage.status in STAGE_WORDS]
    content: dict[str, object] = {
        "pipelineId": execution.pipeline_id,
        "status": result_word(execution),
        "timestamp": _ended(execution).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "input": {"prompt": execution.input},
        "output": result_output(execution),
        "stages": [_stage(stage) for stage in reached],
        "summary": summary(execution),
    }
    if execution.end_reason is EndReason.EARLY_EXIT:
        content["earlyExitStage"] = execution.return_stage
    if execution.error is not None:
        content["error"] = execution.error.message
    content["executionId"] = execution.id
    content["queuedMs"] = waited(execution)
    return dumps(content, indent=2)


def _stage(stage: StageRun) -> dict[str, object]:
    usage, log = stage.usage, stage.log
    shown: dict[str, object] = {
        "stageId": stage.id,
        "stageName": stage.name,
        "status": STAGE_WORDS[stage.status],
        "duration": stage.duration_ms or 0,
        "model": stage.model or "",
        "cost": usage.cost_usd,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "output": cut(log.head, log.goes_on) if log.head else None,
    }
    if stage.status is StageStatus.COMPLETED:
        shown["parsedOutput"] = cut_value(stage.value)
    elif stage.status is StageStatus.SKIPPED:
        shown["output"] = None
        shown["error"] = stage.skip_reason
    else:
        shown["error"] = stage_error(stage)
    return shown


def _ended(execution: Execution) -> datetime:
    return datetime.fromtimestamp((execution.ended_at or execution.started_at) / 1000, UTC)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
