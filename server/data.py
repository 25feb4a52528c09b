"""The data folder of a server, which belongs to one server at a time."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

logger = logging.getLogger("runcast.data")

LOOK_SECONDS = 0.05
FILE = "lock"


class DataInUse(OSError):
    """Another server has the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another runcast uses {folder}")


class DataLock:
    """The locks of a server on its data folder.

    There are two: the one on the folder itself cannot be removed without the folder; the one on the
    file `lock` in it is what earlier releases look for. Both go with the process, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._fds: dict[Path, int] = {}
        self._turn = threading.Lock()

    def take(self) -> None:
        """
        Raises:
            DataInUse: another server has the folder.
            OSError: the folder cannot be used.
        """
        with self._turn:
            self._take()

    def ensure(self) -> None:
        """Takes again what was removed or replaced. To be called in a thread.

        Raises:
            DataInUse: another server was faster.
            OSError: the folder cannot be used.
        """
        with self._turn:
            for path, fd in list(self._fds.items()):
                if not _is_there(path, fd):
                    logger.error("%s was removed or replaced while this server uses it", path)
                    os.close(self._fds.pop(path))
            if len(self._fds) < 2:
                self._take()

    def release(self) -> None:
        """Another server may have the folder."""
        with self._turn:
            while self._fds:
                _, fd = self._fds.popitem()
                os.close(fd)

    def _take(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._folder not in self._fds:
            self._lock(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        file = self._folder / FILE
        if file not in self._fds:
            self._lock(file, os.O_RDWR | os.O_CREAT)

    def _lock(self, path: Path, flags: int) -> None:
        fd = os.open(path, flags, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise DataInUse(self._folder) from None
        except OSError:
            # Some network file systems lock files only.
            if path != self._folder:
                os.close(fd)
                raise
        self._fds[path] = fd


@contextmanager
def locked(folder: Path, wait_seconds: float) -> Iterator[DataLock]:
    """Keeps other servers out of the folder: they would take what runs here for left over.

    After a restart the process before this one may not be gone yet: it is waited for, as long as
    that, and stderr says so.

    Raises:
        DataInUse: another server has it, and goes on having it.
        OSError: the folder cannot be used.
    """
    lock = DataLock(folder)
    try:
        lock.take()
    except DataInUse:
        _wait(lock, folder, wait_seconds)
    try:
        yield lock
    finally:
        lock.release()


def _wait(lock: DataLock, folder: Path, seconds: float) -> None:
    click.echo(f"runcast: waiting for another runcast that still uses {folder}", err=True)
    end = time.monotonic() + seconds
    # In steps, not blocked in the kernel: there it has no deadline.
    while time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        with suppress(DataInUse):
            return lock.take()
    raise DataInUse(folder)


def _is_there(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except (FileNotFoundError, NotADirectoryError):
        return False
