"""Where the running of stages puts what they say and make: asked for here, implemented elsewhere.

Everything here waits for a disk; it is called in threads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..encoded_text import EncodedText
from ..execution.log import LogStream
from ..execution.stored import StoredValue


class LogWriter(Protocol):
    """The log of one attempt. Used by one thread at a time; what cannot be written is counted."""

    def append(self, stream: LogStream, text: EncodedText, at: int) -> int:
        """Adds a text that came `at` epoch ms; where it begins, in characters of all streams."""
        ...

    def close(self) -> None: ...


class Spool(Protocol):
    """Takes a value as it is produced."""

    def write(self, data: bytes) -> None:
        """
        Raises:
            TooLarge: there is more than may be; the spool is of no use any more.
        """
        ...

    def finish(self) -> bytes | StoredValue:
        """The whole, in a file if it is large."""
        ...

    def store(self, data: bytes) -> bytes | StoredValue:
        """The whole of a value, in a file if it is large; nothing is left if it cannot be stored.

        Raises:
            TooLarge: there is more than may be.
        """
        ...

    def discard(self) -> None:
        """Forgets what was written; does nothing after `finish`."""
        ...


class Stores(Protocol):
    """Logs, values and folders of executions."""

    @property
    def inline_bytes(self) -> int:
        """A value of more bytes than that is in a file; at most `contents.INLINE_BYTES`."""
        ...

    def open_log(self, execution_id: str, stage_id: str, attempt: int) -> LogWriter: ...

    def spool(self, execution_id: str, stage_id: str, attempt: int, limit: int) -> Spool:
        """For a value of `limit` bytes at most."""
        ...

    def new_file(self) -> Path:
        """A place for a file that somebody else writes; makes nothing, and does not wait."""
        ...

    def adopt(
        self, execution_id: str, stage_id: str, attempt: int, file: Path, sha256: str
    ) -> StoredValue:
        """Takes a file over as a value."""
        ...

    def path(self, value: StoredValue) -> Path:
        """A local file with the value in it."""
        ...

    def read(self, value: StoredValue) -> Iterator[bytes]: ...

    def workdir(self, execution_id: str) -> Path:
        """The folder for the files of an execution; it need not be there yet."""
        ...
