"""Waits until something is seen in this process, however it came here."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from ...execution.model import Execution

Fact: TypeAlias = Callable[[Execution], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """That a fact holds of an execution as it is known here."""

    fact: Fact
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        await self.seen.wait()


class Sightings:
    """Those that are waited for."""

    def __init__(self) -> None:
        self._of: defaultdict[str, list[Sighting]] = defaultdict(list)

    @contextmanager
    def expected(self, execution_id: str, fact: Fact) -> Iterator[Sighting]:
        """Notices from now on when the fact holds of an execution."""
        sighting = Sighting(fact)
        self._of[execution_id].append(sighting)
        try:
            yield sighting
        finally:
            self._of[execution_id].remove(sighting)
            if not self._of[execution_id]:
                del self._of[execution_id]

    def note(self, now: Execution) -> None:
        """The execution is known here as it is now."""
        for sighting in self._of.get(now.id, ()):
            if sighting.fact(now):
                sighting.seen.set()
