"""Which execution an idempotency key belongs to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary

from ..errors import Conflict
from ..execution.model import Execution
from .request import StartRequest
from .store import Store


class Past(Protocol):
    """The executions that are no longer live."""

    async def started_by(self, key: str) -> Execution | None:
        """The execution that was started with this idempotency key.

        Raises:
            Unavailable: whether there is one cannot be found out now.
        """
        ...


def belongs_to_another(execution_id: str, path: Sequence[str]) -> Conflict:
    """The key, which was given at this path, is that of a start with other arguments."""
    return Conflict(
        f"the idempotency key belongs to {execution_id}, which was started with other arguments",
        path=path,
    )


class IdempotencyKeys:
    """A key belongs to one request and one execution, for as long as that is live or in the past.

    Without a `past`, it is free again when the execution is no longer live.
    """

    def __init__(self, store: Store, past: Past | None = None) -> None:
        self._store = store
        self._past = past
        self._live: dict[str, str] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Those that are taken or waited for."""

    def __len__(self) -> int:
        return len(self._live)

    @asynccontextmanager
    async def turn(self, key: str | None) -> AsyncIterator[None]:
        """Starts with one key take turns, so that each finds what the one before has started."""
        if key is None:
            yield
            return
        lock = self._turns.setdefault(key, asyncio.Lock())
        async with lock:
            yield

    async def find(self, request: StartRequest) -> Execution | None:
        """The execution that the same request with the same key has started.

        Raises:
            Conflict: the key belongs to another request.
            Unavailable: whether the key belongs to one cannot be found out now.
        """
        key = request.start_key
        if key is None:
            return None
        found = self._store.get(self._live.get(key.key, ""))
        if found is None and self._past is not None:
            found = await self._past.started_by(key.key)
        if found is not None and found.start_key != key:
            raise belongs_to_another(found.id, request.key_path)
        return found

    def note(self, execution: Execution) -> None:
        """The execution is live, and its key belongs to it."""
        if execution.start_key is not None:
            self._live[execution.start_key.key] = execution.id

    def forget(self, execution: Execution) -> None:
        """The execution is no longer live."""
        if execution.start_key is not None:
            self._live.pop(execution.start_key.key, None)
