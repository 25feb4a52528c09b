"""A stage runner that plays what a test wrote for each stage."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from runcast.core.running.stages import StageCall, StageResult

Act: TypeAlias = Callable[[StageCall[Any]], Awaitable[object]]


class ScriptedRunner:
    """Implements `StageRunner`. A stage without an act hands its input on."""

    def __init__(self, **acts: Act) -> None:
        self._acts = acts
        self.calls: list[StageCall[Any]] = []
        self.active = 0
        self.most_active = 0

    async def run(self, call: StageCall[Any]) -> StageResult:
        self.calls.append(call)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            act = self._acts.get(call.stage.id)
            value = call.input if act is None else await act(call)
        finally:
            self.active -= 1
        return value if isinstance(value, StageResult) else StageResult(value)


class Gate:
    """An act that tells when it was entered and waits until it is opened."""

    def __init__(self, value: object = "done") -> None:
        self.value = value
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.cancels = 0

    async def __call__(self, call: StageCall[Any]) -> object:
        self.entered.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancels += 1
            raise
        return self.value


class SlowToStop(Gate):
    """An act that, once cancelled, needs until it is opened to clean up."""

    def __init__(self, value: object = "done") -> None:
        super().__init__(value)
        self.stopping = asyncio.Event()
        self.cleaned = False

    async def __call__(self, call: StageCall[Any]) -> object:
        self.entered.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancels += 1
            self.stopping.set()
            await self.opened.wait()
            self.cleaned = True
            raise
        return self.value
