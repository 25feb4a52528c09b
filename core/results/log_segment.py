"""The segment of a log that is being written."""

from contextlib import suppress

from ..encoded_text import Chunk
from .blobs import Blobs
from .log_position import LogPosition


class LogSegment:
    """A blob that grows by whole records.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, blobs: Blobs, folder: str, start: LogPosition) -> None:
        self.start = start
        self.name = f"{folder}/{start.name}"
        self.size = 0
        self._blobs = blobs
        self._appender = blobs.appender(self.name)

    def append(self, *data: Chunk) -> None:
        """
        Raises:
            OSError: not all of the data could be added; `undo` then.
        """
        self._appender.append(*data)
        self.size += sum(map(len, data))

    def close(self) -> None:
        self._appender.close()

    def undo(self) -> None:
        """Takes back what may have been added of the latest data, and closes the blob.

        Where that is not possible, either, a torn record remains. Readers pass over it.
        """
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            if self.size:
                self._blobs.truncate(self.name, self.size)
            else:
                self._blobs.remove(self.name)
