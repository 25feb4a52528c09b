"""How a new execution begins: its id, its metadata, and its stages as they are before they run."""

import secrets
from dataclasses import replace
from functools import lru_cache

from ..errors import Conflict, NotFound
from ..execution.model import ID_PREFIX, NO_USAGE, Execution, StageRun, StageStatus
from ..pipelines.pipeline import Pipeline
from ..text import beginning
from .request import StartRequest

PREVIEW_UNITS = 100
PENDING_STAGES = 10_000
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def launched(
    request: StartRequest, pipeline: Pipeline, stages: tuple[StageRun, ...], now: int
) -> Execution:
    """The execution that a request asks for; `now` in epoch ms."""
    return Execution(
        id=f"{ID_PREFIX}{now}_{random_word()}",
        pipeline_id=pipeline.id,
        pipeline_name=pipeline.name,
        input=request.input,
        input_preview=_preview(request),
        started_at=now,
        stages=stages,
        labels=request.labels,
        options=request.options,
        retry_of=request.retry_of,
        start_key=request.start_key,
    )


def _preview(request: StartRequest) -> str:
    if isinstance(request.input, str):
        return beginning(request.input, PREVIEW_UNITS)
    return request.input_preview or ""


def pending(pipeline: Pipeline) -> tuple[StageRun, ...]:
    """The stages of a pipeline, none of which has begun."""
    return tuple(_pending(stage.id, stage.title, stage.type) for stage in pipeline.stages)


@lru_cache(maxsize=PENDING_STAGES)
def _pending(id: str, name: str, type: str) -> StageRun:
    """The same for every execution of a pipeline: each remembers how it began."""
    return StageRun(id, name, type)


def taken_over(
    old: Execution, stages: tuple[StageRun, ...], from_stage: str
) -> tuple[StageRun, ...]:
    """The same, with the stages before `from_stage` as an older execution has left them.

    What they have used counts there and not again.

    Raises:
        NotFound: there is no such stage.
        Conflict: the older execution has neither completed nor skipped one of those before it.
    """
    ids = [stage.id for stage in stages]
    if from_stage not in ids:
        raise NotFound(
            f"the pipeline has no stage {from_stage!r}: it has {', '.join(ids)}", path=["fromStage"]
        )
    done = {stage.id: replace(stage, usage=NO_USAGE) for stage in old.stages if _is_done(stage)}
    before = ids[: ids.index(from_stage)]
    if missing := [id for id in before if id not in done]:
        raise Conflict(
            f"{old.id} has no output of stage {missing[0]!r} to reuse; "
            "retry from there or from an earlier stage",
            path=["fromStage"],
        )
    if too_large := [id for id in before if done[id].value_dropped]:
        raise Conflict(
            f"the output of stage {too_large[0]!r} was too large to be stored in the history; "
            "retry from there or from an earlier stage",
            path=["fromStage"],
        )
    return (*(done[id] for id in before), *stages[len(before) :])


def _is_done(stage: StageRun) -> bool:
    return stage.status in (StageStatus.COMPLETED, StageStatus.SKIPPED)


def random_word() -> str:
    """Eight digits and small letters that nobody can guess."""
    return "".join(secrets.choice(BASE36) for _ in range(8))
