"""The folder for what a server keeps, which belongs to one server at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataInUse(Exception):
    """Another server has the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other servers out of the folder: they would take what runs here for left over.

    The lock goes with the process, however that ends.

    Raises:
        DataInUse: another server has it.
    """
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUse(
                f"another runcast uses {folder}; give this one a --data folder of its own"
            ) from None
        yield
