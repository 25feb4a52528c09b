"""How many executions of one pipeline run at once, wherever they do."""

from contextlib import suppress

from ...pipelines.pipeline import Pipeline
from .broker import Broker, Holders, Superseded


class PipelineLimits:
    """Executions of a pipeline with `maxConcurrent` hold one of its slots from begin to end.

    An execution keeps its slot when its worker goes: whoever goes on with it has it. What has
    ended without giving it back, as its worker went, is found when somebody needs a slot.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def acquire(self, pipeline: Pipeline, execution_id: str) -> bool:
        """Whether the execution may run now."""
        limit = pipeline.settings.max_concurrent
        if limit is None:
            return True
        while True:
            holders = await self._broker.holders(pipeline.id)
            if execution_id in holders.ids:
                return True
            if len(holders.ids) >= limit:
                holders = await self._without_ended(holders)
            if len(holders.ids) >= limit:
                return False
            with suppress(Superseded):
                now = holders._replace(ids=(*holders.ids, execution_id))
                await self._broker.hold(pipeline.id, now)
                return True

    async def release(self, pipeline: Pipeline, execution_id: str) -> None:
        """The execution has ended."""
        if pipeline.settings.max_concurrent is None:
            return
        while execution_id in (holders := await self._broker.holders(pipeline.id)).ids:
            with suppress(Superseded):
                others = tuple(id for id in holders.ids if id != execution_id)
                await self._broker.hold(pipeline.id, holders._replace(ids=others))

    async def _without_ended(self, holders: Holders) -> Holders:
        running = [id for id in holders.ids if await self._runs(id)]
        return holders._replace(ids=tuple(running))

    async def _runs(self, execution_id: str) -> bool:
        stored = await self._broker.read(execution_id)
        return stored is not None and not stored.record.execution.status.terminal
