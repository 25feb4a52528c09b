"""Pipelines, executions and requests, as small as a test needs them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcast.core.execution.events import (
    CancelRequested,
    ChangeKind,
    Event,
    StageLogged,
    Submitted,
)
from runcast.core.execution.log import LogPiece, LogStream
from runcast.core.execution.model import Execution
from runcast.core.execution.stage_log import StageLog
from runcast.core.live.engine import Receiver
from runcast.core.live.launch import pending, random_word
from runcast.core.live.request import StartRequest
from runcast.core.live.store import Store
from runcast.core.pipelines.pipeline import Pipeline, PipelineFile

STAGES = ("one", "two")


def a_pipeline(
    *stages: str, id: str = "demo", settings: dict[str, Any] | None = None, **of_each: Any
) -> Pipeline:
    """A pipeline of python stages with these ids; `of_each` are keys that each of them has."""
    content = {
        "pipeline": {"id": id, "name": "Demo", "version": "1.0.0", "settings": settings or {}},
        "stages": [{"id": one, "call": "demo:run", **of_each} for one in stages or STAGES],
    }
    definition = PipelineFile.model_validate(content)
    return Pipeline(definition=definition, source=content, path=Path("demo.yaml"))


def an_execution(id: str = "exec_1", *stages: str, **values: Any) -> Execution:
    """An execution that has not begun, unless `values` say something else."""
    defaults: dict[str, Any] = {
        "pipeline_id": "demo",
        "pipeline_name": "Demo",
        "input": "hello",
        "input_preview": "hello",
        "started_at": 1000,
        "stages": pending(a_pipeline(*stages)),
    }
    return Execution(id, **(defaults | values))


@dataclass(frozen=True, slots=True)
class Became(Event):
    """Whatever has happened: this is the execution that follows, in its next sequence."""

    execution: Execution
    shown_as: ChangeKind = ChangeKind.STATUS_CHANGED

    def after(self, execution: Execution) -> Execution:
        return self.execution

    @property
    def kind(self) -> ChangeKind:
        return self.shown_as


def put(store: Store, execution: Execution, kind: ChangeKind = ChangeKind.STATUS_CHANGED) -> None:
    """The store holds the execution as it is here, because of a change of that kind."""
    id, at = execution.id, execution.started_at
    event = Became(id, at, execution, kind) if id in store else Submitted(id, at, execution)
    store.put(event, execution)


def a_request(input: str = "hello", **values: Any) -> StartRequest:
    return StartRequest.checked("demo", input, **values)


class ScriptedEngine:
    """Implements `Engine`. What happens to an execution is what the test says, event by event."""

    name = "scripted"
    stale = False

    def __init__(self) -> None:
        self.epoch = random_word()
        self.refusal: Exception | None = None
        self.graces: list[float] = []

    async def open(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def submit(self, execution: Execution, pipeline: Pipeline) -> str:
        if self.refusal is not None:
            raise self.refusal
        await self.say(Submitted(execution.id, execution.started_at, execution))
        return execution.id

    async def cancel(self, execution_id: str, reason: str | None, *, forced: bool) -> None:
        await self.say(CancelRequested(execution_id, 2000, reason, forced))

    async def close(self, grace: float) -> None:
        self.graces.append(grace)

    async def say(self, *events: Event) -> None:
        """Tells the manager of events, without letting anything else run in between."""
        for event in events:
            self._receiver.apply(event)


def said(
    execution_id: str,
    at: int,
    index: int,
    text: str,
    offset: int = 0,
    stream: LogStream = LogStream.STDOUT,
) -> StageLogged:
    """The event of a stage that has said something, when stdout was `offset` characters long."""
    return StageLogged(execution_id, at, index, LogPiece(offset, stream, text, at), offset)


def spoken(text: str) -> StageLog:
    """The log of a stage that has ended and has said that, as it is read to be shown."""
    return StageLog(len(text), len(text), head=text[:51_201])
