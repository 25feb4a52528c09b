"""Which execution an idempotency key belongs to."""

from collections.abc import Callable
from typing import Any

from ...json_value import dumps, loads
from ..cluster.broker import Claim
from .bucket import Bucket
from .connection import Connection
from .names import Names


class Claims:
    """Whoever claims a key first has it, until the claim is taken back."""

    def __init__(self, connection: Callable[[], Connection], names: Names) -> None:
        self._names = names
        self._bucket = Bucket(connection, names.bucket)

    async def claim(self, key: str, claim: Claim) -> Claim:
        name, content = self._names.claim(key), dumps(list(claim))
        while True:
            if await self._bucket.create(name, content):
                return claim
            # It may be given up just now.
            if (value := await self._bucket.read(name)) is not None:
                return _claim(value.content)

    async def unclaim(self, key: str, claim: Claim) -> None:
        name = self._names.claim(key)
        value = await self._bucket.read(name)
        if value is not None and _claim(value.content) == claim:
            await self._bucket.remove(name, value.revision)


def _claim(content: bytes) -> Claim:
    value: Any = loads(content)
    return Claim(*value)
