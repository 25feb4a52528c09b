"""What the objects of one cluster are called in the broker."""

import hashlib
import re
from dataclasses import dataclass
from zlib import crc32

from ...execution.record import utf8

WORKERS = "workers"
"""The consumer of the runs: all workers take from it."""
WORD = re.compile(r"[A-Za-z0-9_-]+")


def is_name(id: str) -> bool:
    """Whether it can be a part of a subject. Our ids are; those that clients make up may not be."""
    return WORD.fullmatch(id) is not None


@dataclass(frozen=True, slots=True)
class Names:
    """Subjects and streams of a namespace."""

    namespace: str
    shards: int

    @property
    def bucket(self) -> str:
        """The stream of a key-value bucket that is called like the namespace."""
        return f"KV_{self.namespace}"

    @property
    def keys(self) -> str:
        return f"$KV.{self.namespace}"

    @property
    def cluster(self) -> str:
        return f"{self.keys}.cluster"

    @property
    def all_records(self) -> str:
        return f"{self.keys}.record.*"

    def record(self, execution_id: str) -> str:
        return f"{self.keys}.record.{execution_id}"

    def claim(self, key: str) -> str:
        """A client's key can be anything, a subject cannot."""
        return f"{self.keys}.claim.{hashlib.sha256(utf8(key)).hexdigest()}"

    def holders(self, pipeline_id: str) -> str:
        """Pipelines are called as their author likes."""
        return f"{self.keys}.holders.{hashlib.sha256(utf8(pipeline_id)).hexdigest()}"

    @property
    def runs(self) -> str:
        return f"{self.namespace}-runs"

    @property
    def all_runs(self) -> str:
        return f"{self.namespace}.runs.*.*"

    def run(self, execution_id: str) -> str:
        return f"{self.namespace}.runs.{self._shard(execution_id)}.{execution_id}"

    @property
    def events(self) -> str:
        return f"{self.namespace}-events"

    @property
    def all_events(self) -> str:
        return f"{self.namespace}.events.*.*"

    def event(self, execution_id: str) -> str:
        return f"{self.namespace}.events.{self._shard(execution_id)}.{execution_id}"

    @property
    def signals(self) -> str:
        return f"{self.namespace}.signals"

    def _shard(self, execution_id: str) -> int:
        return crc32(execution_id.encode()) % self.shards
