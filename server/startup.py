"""How a server or a worker begins: with its log and its data folder, or with a line that says why
not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.engines.jetstream.refused import BrokerRefused
from ..core.errors import InvalidInput
from .data import DataInUse, DataLock, locked
from .listener import CannotListen
from .log import logging_to

STDERR = 2
DATA_WAIT_SECONDS = 10.0
"""As long as a process that is stopping may take."""


class CannotStart(Exception):
    """Why the process does not start, in one line."""


@contextmanager
def started(data: Path, wait_seconds: float) -> Iterator[DataLock]:
    """The log is on stderr, and the data folder of nobody else.

    Raises:
        CannotStart: the data folder, the address, the broker or a setting cannot be used.
    """
    try:
        with logging_to(STDERR), locked(data, wait_seconds) as lock:
            yield lock
    except (InvalidInput, BrokerRefused) as error:
        raise CannotStart(error.message) from None
    except DataInUse as error:
        raise CannotStart(f"{error}; give this one a --data folder of its own") from None
    except (CannotListen, OSError) as error:
        raise CannotStart(str(error)) from None
