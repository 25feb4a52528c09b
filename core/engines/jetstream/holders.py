"""Which executions of a pipeline with a limit run."""

from collections.abc import Callable
from typing import Any

from ...json_value import dumps, loads
from ..cluster.broker import Holders
from .bucket import Bucket
from .connection import Connection
from .names import Names


class HoldersByPipeline:
    """One value for each pipeline that has had any."""

    def __init__(self, connection: Callable[[], Connection], names: Names) -> None:
        self._names = names
        self._bucket = Bucket(connection, names.bucket)

    async def read(self, pipeline_id: str) -> Holders:
        value = await self._bucket.read(self._names.holders(pipeline_id))
        if value is None:
            return Holders((), 0)
        ids: Any = loads(value.content)
        return Holders(tuple(ids), value.revision)

    async def write(self, pipeline_id: str, holders: Holders) -> None:
        """
        Raises:
            Superseded: the present revision is another one.
        """
        name = self._names.holders(pipeline_id)
        await self._bucket.replace(name, dumps(list(holders.ids)), holders.revision)
