"""A call of an async function, and everything in the event loop that belongs to it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any

from .call import Call
from .channel import Channel
from .frames import Head
from .output import Flusher


class AsyncCall(Call):
    """A call and what belongs to it: it is over when nothing of that is left."""

    def __init__(self, head: Head, body: bytes, channel: Channel, flusher: Flusher) -> None:
        super().__init__(head, body, channel, flusher, threading.Event())
        self.tasks: set[asyncio.Task[Any]] = set()
        self.children: set[asyncio.SubprocessTransport] = set()
        self.threads: set[int] = set()
        """Those of the loop's threads that run a function for it."""
        self.main: asyncio.Task[Any] | None = None
        self.blocked: BaseException | None = None
        """Raised in it because it has blocked the loop."""

    @property
    def is_over(self) -> bool:
        children = any(child.get_returncode() is None for child in self.children)
        return not (self.tasks or self.threads or children)

    def cancel_rest(self) -> None:
        """Asks everything that belongs to it to end, once."""
        for task in list(self.tasks):
            task.cancel()
        for child in self.children:
            with suppress(ProcessLookupError):
                child.kill()

    def close_rest(self) -> None:
        """Ends its coroutines where they wait, whatever they do about a cancel."""
        for task in list(self.tasks):
            # What a `finally` block raises now is of no interest to anybody.
            with suppress(BaseException):
                task.get_coro().close()
            task.cancel()


CALL: ContextVar[AsyncCall] = ContextVar("CALL")


class CallOwningLoop(asyncio.SelectorEventLoop):
    """Knows which call a task, a thread or a child belongs to."""

    def __init__(self) -> None:
        super().__init__()
        self.set_task_factory(_owned_task)  # type: ignore[arg-type]  # it takes any options

    def run_in_executor(  # type: ignore[override]  # its type variables are of no use here
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        call = CALL.get(None)
        if call is None:
            return super().run_in_executor(executor, func, *args)
        return super().run_in_executor(executor, _in_thread, call, copy_context(), func, *args)

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        return self._owned_child(await super().subprocess_exec(*args, **options))

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        return self._owned_child(await super().subprocess_shell(*args, **options))

    def _owned_child(self, started: Any) -> Any:
        if (call := CALL.get(None)) is not None:
            call.children.add(started[0])
        return started


def _owned_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> "asyncio.Task[Any]":
    context: Context | None = options.get("context")
    call = CALL.get(None) if context is None else context.get(CALL)
    task = asyncio.Task(coro, loop=loop, **options)
    if call is not None:
        call.tasks.add(task)
        task.add_done_callback(call.tasks.discard)
    return task


def _in_thread(call: AsyncCall, context: Context, func: Callable[..., Any], *args: Any) -> Any:
    thread = threading.get_ident()
    call.threads.add(thread)
    try:
        return context.run(func, *args)
    finally:
        call.threads.discard(thread)
