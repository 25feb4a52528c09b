"""Values under keys in the broker, each with a number that tells whether it has changed."""

from base64 import b64decode
from collections.abc import Callable
from typing import NamedTuple

from ..cluster.broker import Superseded
from .answers import Code, Rejected
from .connection import Connection

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
CHANGED = {Code.WRONG_LAST_SEQUENCE, Code.WRONG_LAST_SEQUENCE_IS_UNKNOWN}


class Value(NamedTuple):
    content: bytes
    revision: int


class Bucket:
    """A key-value bucket. Keys are whole subjects.

    All that is written is guarded by the revision that it follows, and all reading is done by the
    server that leads the bucket: others may not have yet what was acknowledged.
    """

    def __init__(self, connection: Callable[[], Connection], stream: str) -> None:
        """`connection` has the one of the moment, or raises Unavailable."""
        self._connection = connection
        self._stream = stream

    async def create(self, key: str, content: bytes) -> bool:
        """Whether there was no value of that key."""
        try:
            await self.replace(key, content, 0)
        except Superseded:
            return False
        return True

    async def replace(self, key: str, content: bytes, revision: int) -> int:
        """The new revision.

        Raises:
            Superseded: the present revision is another one.
        """
        try:
            answer = await self._connection().request(key, content, {EXPECTED: str(revision)})
        except Rejected as error:
            if error.number in CHANGED:
                raise Superseded("it has changed in the meantime") from None
            raise
        return int(answer["seq"])

    async def read(self, key: str) -> Value | None:
        """The latest value; with `*` in the key, the latest of all that match."""
        operation = f"STREAM.MSG.GET.{self._stream}"
        try:
            answer = await self._connection().ask(operation, last_by_subj=key)
        except Rejected as error:
            if error.number == Code.NO_MESSAGE:
                return None
            raise
        message = answer["message"]
        return Value(b64decode(message.get("data", "")), int(message["seq"]))

    async def remove(self, key: str, revision: int | None = None) -> None:
        """Leaves nothing behind; with a revision, a later value stays."""
        before = {} if revision is None else {"seq": revision + 1}
        await self._connection().ask(f"STREAM.PURGE.{self._stream}", filter=key, **before)
