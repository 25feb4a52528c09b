"""The data folder of a server, which belongs to one server at a time."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

LOOK_SECONDS = 0.05


class DataInUse(Exception):
    """Another server has the folder."""


@contextmanager
def locked(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Keeps other servers out of the folder: they would take what runs here for left over.

    After a restart the process before this one may not be gone yet: it is waited for, as long as
    that, and stderr says so. The lock goes with the process, however that ends.

    Raises:
        DataInUse: another server has it, and goes on having it.
    """
    with (folder / "lock").open("a") as file:
        if not _takes_lock(file):
            _wait(file, folder, wait_seconds)
        yield


def _wait(file: TextIO, folder: Path, seconds: float) -> None:
    click.echo(f"runcast: waiting for another runcast that still uses {folder}", err=True)
    end = time.monotonic() + seconds
    # In steps, not blocked in the kernel: there it has no deadline.
    while not _takes_lock(file):
        if time.monotonic() >= end:
            raise DataInUse(
                f"another runcast uses {folder}; give this one a --data folder of its own"
            )
        time.sleep(LOOK_SECONDS)


def _takes_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
