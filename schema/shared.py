"""A subscription that many follow: each item is executed and encoded once for all of them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, Generic, TypeAlias, TypeVar

from graphql import ExecutionResult, execute_subscription_event

from ..core.live.deliveries import Taker
from ..resolvers.context import Context
from .context import RequestContext
from .executor import Executor
from .following import Following
from .limits import Limits
from .result import Result

Item = TypeVar("Item")

MOST_MADE = 256
MADE_BYTES = 1 << 20
MADE_SECONDS = 1.0
"""Results that are there for others: so many of an operation, so large together, for so long."""

ResultTaker: TypeAlias = Taker[Result]
"""Sends a result to its client."""


class MadeResults(Generic[Item]):
    """The results of items, for those who come to the very same item within a second.

    By the key of the item, which may be its identity: so it is held.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[Item, Result | asyncio.Task[Result]]] = {}
        self._bytes = 0

    def get(self, key: Hashable) -> Result | asyncio.Task[Result] | None:
        """The result, or who is about to make it."""
        known = self._made.get(key)
        return None if known is None else known[1]

    def put(self, key: Hashable, item: Item, made: Result | asyncio.Task[Result]) -> None:
        if isinstance(made, Result):
            self._bytes += len(made.encoded)
            if self._bytes > MADE_BYTES or len(self._made) >= MOST_MADE:
                self._forget()
        if not self._made:
            asyncio.get_running_loop().call_later(MADE_SECONDS, self._forget)
        self._made[key] = item, made

    def _forget(self) -> None:
        self._made.clear()
        self._bytes = 0


class Shared(Generic[Item]):
    """One operation with its variables, for all who follow it now.

    Everyone follows on their own: nobody is held up, or sent anything twice, because of others.
    What is shared is the result of an item. It depends on nothing else: not on the client, on the
    time as of the item only, and on what the field at the top was given not at all. So those
    who follow something else share the `results`, too, if all other variables are the same: a
    thousand who come back, each with a cursor of its own.
    """

    def __init__(
        self,
        executor: Executor,
        following: Following[Item],
        ctx: Context,
        limits: Limits,
        finished: Callable[[ExecutionResult], Result],
        results: MadeResults[Item],
    ) -> None:
        self._executor = executor
        self._following = following
        self._ctx = ctx
        self._limits = limits
        self._finished = finished
        self._made = results

    async def follow(self, at_once: ResultTaker | None) -> AsyncGenerator[Result, None]:
        """Another one follows. What `at_once` takes while nothing is unread is not yielded.

        Raises:
            RuncastError: it cannot be followed.
        """
        taker = None if at_once is None else self._taker(at_once)
        return self._results(await self._following.begin(taker))

    async def _results(self, items: AsyncGenerator[Item, None]) -> AsyncGenerator[Result, None]:
        async with aclosing(items):
            async for item in items:
                if self._following.wanted(item):
                    # Before each: what one item costs is spent when its result is there.
                    await self._ctx.loop_budget.checkpoint()
                    made = self._result(item)
                    # Others may wait for it, too: it is not cancelled with one of them.
                    yield made if isinstance(made, Result) else await asyncio.shield(made)

    def _taker(self, at_once: ResultTaker) -> Taker[Item]:
        def take(item: Item) -> bool:
            if not self._following.wanted(item):
                return True
            made = self._result(item)
            return isinstance(made, Result) and at_once(made)

        return take

    def _result(self, item: Item) -> Result | asyncio.Task[Result]:
        key = self._following.key(item)
        return self._made.get(key) or self._make(key, item)

    def _make(self, key: Hashable, item: Item) -> Result | asyncio.Task[Result]:
        event: Any = self._executor.build_per_event_executor(self._following.shown(item))
        event.context_value = RequestContext(self._ctx, self._limits)
        found: Any = execute_subscription_event(event)
        made: Result | asyncio.Task[Result]
        if isawaitable(found):
            made = asyncio.ensure_future(self._later(key, item, found))
        else:
            made = self._finished(found)
        self._made.put(key, item, made)
        return made

    async def _later(self, key: Hashable, item: Item, found: Any) -> Result:
        made = self._finished(await found)
        self._made.put(key, item, made)
        return made
