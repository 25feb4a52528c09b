"""Which worker process runs which call: as few as can be, and nobody at the mercy of another."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

from ...errors import StageError
from ...json_value import JSON
from ...pipelines.pipeline import PythonStage
from ..cancels import in_spite_of_cancels
from ..keeper import Keeper
from ..stages import StageCall
from .function import Function, Module
from .messages import FileValue, Stale, call_body, remove
from .process import WorkerProcess

MAX_CALLS = 200
"""After so many sync calls a worker is replaced: what a library leaks is not leaked for ever."""
MAX_ASYNC_CALLS = 10_000
MOST_APART = 1000
SPARE_SECONDS = 0.2
"""How long after the latest start another worker is started ahead of need."""
UNSAFE = ("Blocked", "WorkerDied", "WorkerLost")
"""The errors after which a function runs in a process of its own."""


class WorkerPool:
    """Calls functions: a sync one in a process of its own, async ones of a module in one together.

    A process runs functions of one module only, so what a module does to its process (a patched
    library, a signal handler, a crash) reaches no other. At most `max_idle` processes that have
    imported something are kept while they have nothing to do, and one that has not. How many are
    busy is not its business: the engine's limit bounds that.
    """

    def __init__(
        self,
        max_idle: int,
        environ: Mapping[str, str] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._max_idle = max_idle
        self._keeper = keeper
        self._environ = dict(os.environ if environ is None else environ)
        self._idle: OrderedDict[WorkerProcess, None] = OrderedDict()
        """Sync ones and those that nobody has called yet, longest idle first."""
        self._shared: OrderedDict[Module, WorkerProcess] = OrderedDict()
        """The current one for a module's async functions, longest unused first."""
        self._async: dict[Function, bool] = {}
        """Whether a function is async, as far as it is known."""
        self._apart: OrderedDict[Function, None] = OrderedDict()
        """Async functions that have blocked or ended their process."""
        self._locks: WeakValueDictionary[Module, asyncio.Lock] = WeakValueDictionary()
        self._spare: asyncio.Task[WorkerProcess] | None = None
        self._spare_timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        """Processes that nobody waits for are on their way out."""
        self._closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._closing = True
        if self._spare_timer is not None:
            self._spare_timer.cancel()
        idle = [*self._idle, *self._shared.values()]
        self._idle.clear()
        self._shared.clear()
        if self._spare is not None:
            with suppress(OSError):
                idle.append(await self._spare)
        for worker in idle:
            self._end(worker)
        await asyncio.gather(*self._ending)

    async def find(self, stage: PythonStage, folder: Path) -> None:
        """Sees to it that the function of a stage is there, as its file says now.

        Of a module that has changed, a process has imported it anew when this returns.

        Raises:
            StageError: it is not, or its module cannot be imported.
        """
        function = Function.of(stage, folder)
        self._async.pop(function, None)
        while function not in self._async:
            try:
                await self._is_async(function)
            except Stale:
                self._forget(function.module)

    async def call(self, call: StageCall[PythonStage]) -> JSON | FileValue:
        """What the function that the stage names has returned: text or JSON, or a file with it.

        Raises:
            StageError: there is no such function, it raised, or its process ended.
            OSError: what it is given cannot be read.
        """
        function, body = Function.of(call.stage, call.folder), await call_body(call)
        try:
            return await self._call(call, function, body.content)
        finally:
            if body.files:
                await in_spite_of_cancels(asyncio.to_thread(remove, body.files))

    async def _call(
        self, call: StageCall[PythonStage], function: Function, body: bytes
    ) -> JSON | FileValue:
        while True:
            try:
                if not await self._is_async(function):
                    return await self._call_alone(call, function, body)
                return await self._call_async(call, function, body)
            except Stale:
                self._forget(function.module)

    async def _is_async(self, function: Function) -> bool:
        if function not in self._async:
            async with self._lock(function.module):
                if function not in self._async:
                    await self._ask_whether_async(function)
        return self._async[function]

    async def _ask_whether_async(self, function: Function) -> None:
        shared = self._shared.get(function.module)
        if shared is not None and shared.usable:
            with suppress(StageError):  # A new process may know better.
                self._async[function] = await shared.load(function)
                return
        await self._give_back(await self._ready(function))

    async def _call_alone(
        self, call: StageCall[PythonStage], function: Function, body: bytes
    ) -> JSON | FileValue:
        worker = await self._ready(function)
        try:
            return await worker.call(call, function, body, is_async=False)
        finally:
            await self._give_back(worker)

    async def _call_async(
        self, call: StageCall[PythonStage], function: Function, body: bytes
    ) -> JSON | FileValue:
        apart = function in self._apart
        worker = await (self._ready(function) if apart else self._together(function))
        try:
            return await worker.call(call, function, body, is_async=True)
        except StageError as error:
            if error.type in UNSAFE:
                self._run_apart(function)
            raise
        finally:
            if not worker.busy:
                await self._let_go(worker, apart)

    async def _together(self, function: Function) -> WorkerProcess:
        """The process in which the module's async functions run together."""
        module = function.module
        async with self._lock(module):
            worker = self._shared.get(module)
            if worker is None or not worker.usable or worker.calls >= MAX_ASYNC_CALLS:
                worker = self._shared[module] = await self._ready(function)
            return worker

    async def _ready(self, function: Function) -> WorkerProcess:
        """A process that nobody else uses, and that has imported the function's module.

        Raises:
            StageError: there is no such function, or its module cannot be imported.
            Stale: it has imported one that has changed since.
        """
        worker = await self._take(function.module)
        try:
            if worker.module is None or function not in self._async:
                self._async[function] = await worker.load(function)
        except BaseException:
            await in_spite_of_cancels(worker.close())
            raise
        return worker

    async def _take(self, module: Module) -> WorkerProcess:
        for worker in reversed(list(self._idle)):
            if not worker.usable:
                del self._idle[worker]
                self._end(worker)
            elif worker.module == module:
                del self._idle[worker]
                return worker
        return await self._fresh()

    async def _fresh(self) -> WorkerProcess:
        spare, self._spare = self._spare, None
        starting = spare or asyncio.create_task(self._start())
        try:
            worker = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await in_spite_of_cancels(_closed_once_started(starting))
            raise
        if not worker.usable:
            self._end(worker)
            return await self._fresh()
        self._start_spare_soon()
        return worker

    async def _give_back(self, worker: WorkerProcess) -> None:
        """Keeps a process that is idle now, unless it has served long enough or is not clean.

        What a call has left in it is gone when this returns.
        """
        if not worker.usable:
            await in_spite_of_cancels(worker.close())
        elif self._closing or worker.calls >= MAX_CALLS:
            self._end(worker)
        else:
            self._idle[worker] = None
            self._trim()

    async def _let_go(self, worker: WorkerProcess, apart: bool) -> None:
        """The last async call in a process is over."""
        module = worker.module
        assert module is not None
        current = self._shared.get(module) is worker
        if apart or not current or not worker.usable or self._closing:
            if current:
                del self._shared[module]
            await in_spite_of_cancels(worker.close())
        else:
            self._shared.move_to_end(module)
            self._trim()

    def _trim(self) -> None:
        """Ends the processes that have been idle for longest, until no more are than may be."""
        unused = [worker for worker in self._shared.values() if not worker.busy]
        surplus = len(self._idle) + len(unused) - self._max_idle
        for worker in [*self._idle, *unused][: max(0, surplus)]:
            self._idle.pop(worker, None)
            if worker.module is not None and self._shared.get(worker.module) is worker:
                del self._shared[worker.module]
            self._end(worker)

    def _forget(self, module: Module) -> None:
        """Its file has changed: idle workers of it end now, busy ones with their calls."""
        for function in [each for each in self._async if each.module == module]:
            del self._async[function]
            self._apart.pop(function, None)
        old = [worker for worker in self._idle if worker.module == module]
        if (worker := self._shared.pop(module, None)) is not None:
            worker.reusable = False
            if not worker.busy:
                old.append(worker)
        for worker in old:
            self._idle.pop(worker, None)
            self._end(worker)

    def _end(self, worker: WorkerProcess) -> None:
        task = asyncio.create_task(worker.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _run_apart(self, function: Function) -> None:
        self._apart[function] = None
        if len(self._apart) > MOST_APART:
            self._apart.popitem(last=False)

    def _lock(self, module: Module) -> asyncio.Lock:
        return self._locks.setdefault(module, asyncio.Lock())

    def _start_spare_soon(self) -> None:
        """Not at once: whoever waits for a worker now needs the processor more."""
        if self._spare_timer is not None:
            self._spare_timer.cancel()
        if self._max_idle and not self._closing:
            loop = asyncio.get_running_loop()
            self._spare_timer = loop.call_later(SPARE_SECONDS, self._start_spare)

    def _start_spare(self) -> None:
        if self._spare is None and not self._closing:
            self._spare = asyncio.create_task(self._warm())
            # A machine that has no more processes is the business of whoever needs one.
            self._spare.add_done_callback(self._drop_failed_spare)

    async def _start(self) -> WorkerProcess:
        return await WorkerProcess.start(self._environ, self._keeper)

    async def _warm(self) -> WorkerProcess:
        worker = await self._start()
        worker.warm_up()
        return worker

    def _drop_failed_spare(self, task: "asyncio.Task[WorkerProcess]") -> None:
        if not task.cancelled() and task.exception() is not None and self._spare is task:
            self._spare = None


async def _closed_once_started(starting: "asyncio.Task[WorkerProcess]") -> None:
    with suppress(OSError):
        await (await starting).close()
