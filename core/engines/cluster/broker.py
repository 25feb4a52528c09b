"""What a cluster needs of a broker: records, a log, leases and signals."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

from ...errors import RuncastError
from ...execution.events import Event
from ...execution.model import Execution

PATIENCE_SECONDS = 2.0
"""How long whoever asks waits at most for the broker."""


class Superseded(RuncastError):
    """Somebody else has written the record since it was read."""


@dataclass(frozen=True, slots=True)
class CancelFlag:
    """What a user has asked for, before the worker that runs it has."""

    reason: str | None
    forced: bool


@dataclass(frozen=True, slots=True)
class Record:
    """The truth of one execution."""

    execution: Execution
    term: int = 0
    """How often it was leased. Whoever holds an older lease writes no more."""
    lost: int = 0
    """How often in a row it was leased by a worker that went without a word."""
    leased: bool = False
    """Whether somebody has it, or went without a word."""
    stored: bool = False
    """Whether its end is in the history."""
    cancel: CancelFlag | None = None


class Stored(NamedTuple):
    """A record as it was read, and what to pass when it is written again."""

    record: Record
    revision: int


class Claim(NamedTuple):
    """Which execution an idempotency key belongs to, and of which request: `digest`."""

    execution_id: str
    digest: str


class Holders(NamedTuple):
    """Which executions of a pipeline run, where only so many may, and what to pass when that is
    written again."""

    ids: tuple[str, ...]
    revision: int


class Entry(NamedTuple):
    """A line of the log: an event, with its number in its execution."""

    event: Event
    sequence: int
    term: int


class Lease(Protocol):
    """That an execution is ours to run, for as long as it is renewed."""

    @property
    def execution_id(self) -> str: ...

    @property
    def age(self) -> float:
        """Seconds since the execution was offered."""

    async def renew(self) -> None:
        """Another term of the lease's length begins."""

    async def settle(self) -> None:
        """There is nothing more to run of it."""

    async def release(self, delay: float = 0.0) -> None:
        """Somebody may lease it again, in so many seconds."""


class LogReader(Protocol):
    """What follows the log: the engine of a process that shows executions."""

    def restore(self, records: Sequence[Record]) -> None:
        """All records; entries that come next may be older than them, and are in them then.

        At the beginning, and again when a part of the log was missed that is no longer there.
        """

    def take(self, entry: Entry) -> None:
        """The next entry."""


class Broker(Protocol):
    """An async context manager, that is connected inside.

    Every method raises `Unavailable` while the broker is away, within PATIENCE_SECONDS. What was
    asked for does not happen later then, unless the broker went while it answered.
    """

    async def __aenter__(self) -> Self:
        """Returns at once; the broker may come later."""
        ...

    async def __aexit__(self, *error: object) -> None: ...

    @property
    def epoch(self) -> str:
        """Names the log; the same for all processes and after a restart."""
        ...

    @property
    def available(self) -> bool:
        """Whether it answers, and what was taken from the log is all that there is in it."""
        ...

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts unless it is renewed; the same for all."""
        ...

    async def create(self, record: Record) -> None:
        """Stores the record of a new execution.

        Raises:
            InvalidInput: it is larger than the broker takes.
        """

    async def read(self, execution_id: str) -> Stored | None:
        """The record as it is now."""

    async def write(self, record: Record, revision: int) -> int:
        """Replaces what was read at that revision; the new revision.

        Raises:
            Superseded: it has another one by now.
        """

    async def remove(self, execution_id: str) -> None:
        """Forgets the record, if there is one."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Adds to the log, in order; what is there already is not added again."""

    async def follow(self, reader: LogReader) -> None:
        """From now on the reader is told; returns once it knows all that there is."""

    async def claim(self, key: str, claim: Claim) -> Claim:
        """What was claimed for an idempotency key first: this, or an earlier one."""

    async def unclaim(self, key: str, claim: Claim) -> None:
        """The key is free again, if this is its claim."""

    async def holders(self, pipeline_id: str) -> Holders:
        """Those that run of a pipeline with a limit."""
        ...

    async def hold(self, pipeline_id: str, holders: Holders) -> None:
        """Replaces what was read at that revision.

        Raises:
            Superseded: it has another one by now.
        """

    async def offer(self, execution_id: str) -> None:
        """Lets some worker lease it."""

    async def lease(self) -> Lease:
        """The next execution that nobody runs; waits until there is one."""

    async def signal(self, execution_id: str) -> None:
        """Tells who runs it, if anybody does, to look at its record."""

    def signals(self) -> AsyncIterator[str]:
        """The ids of those that are signalled from now on."""
