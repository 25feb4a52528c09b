"""Values as templates, conditions and functions see them, wherever they are."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ..execution.stored import StoredValue
from ..json_value import JSON, loads
from .stores import Stores

Result = TypeVar("Result")

INLINE_BYTES = 256 * 1024
"""A value of more bytes than that is in a file, wherever executions run."""


def content(value: JSON, stores: Stores) -> JSON:
    """A value as text or JSON; one in a file is read, which waits for a disk."""
    if not isinstance(value, StoredValue):
        return value
    data = b"".join(stores.read(value))
    if value.is_json:
        return loads(data)
    return data.decode("utf-8", "replace").rstrip("\n")


class Contents(Mapping[str, JSON]):
    """Values by name, each read from its file when it is first asked for."""

    def __init__(self, values: Mapping[str, JSON], stores: Stores) -> None:
        self._values = dict(values)
        self._stores = stores

    def __getitem__(self, name: str) -> JSON:
        found = self._values[name] = content(self._values[name], self._stores)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


async def computed(compute: Callable[[], Result], *values: JSON) -> Result:
    """What `compute` returns; in a thread if one of the values is in a file."""
    if any(isinstance(value, StoredValue) for value in values):
        return await asyncio.to_thread(compute)
    return compute()
