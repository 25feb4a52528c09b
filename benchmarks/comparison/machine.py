"""Where servers and load run, and what processes take of the machine. Linux only."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from typing import Self

import psutil

QUIET_LOOK_SECONDS = 0.2
QUIET_SHARE = 0.04
QUIET_LOOKS = 3
"""In a row: once may be that others have had the core."""
QUIET_PATIENCE_SECONDS = 180


class Cores:
    """Servers run on the first core and load on the second, if there are two."""

    def __init__(self) -> None:
        self._all = sorted(os.sched_getaffinity(0))
        self._servers, self._load = self._all[:1], self._all[1:2] or self._all[:1]

    def without_load(self) -> Self:
        """The same for servers that have all cores to themselves."""
        alone = copy(self)
        alone._servers = self._all
        return alone

    def take_load(self) -> None:
        """From now on this process runs on the core for load, and so does what it starts."""
        os.sched_setaffinity(0, self._load)

    @contextmanager
    def for_servers(self) -> Iterator[None]:
        """What is started meanwhile runs on the core for servers."""
        os.sched_setaffinity(0, self._servers)
        try:
            yield
        finally:
            self.take_load()


def allow_descriptors() -> int:
    """As many as the system grants; how many those are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def tree(pid: int) -> list[psutil.Process]:
    """The process and all that it has started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


class Meter:
    """Time on the processor that a process and its children have taken since it was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = _seconds_by_process(pid)

    def seconds(self) -> float:
        """Of children that have ended meanwhile nothing is counted."""
        now = _seconds_by_process(self._pid)
        return sum(seconds - self._before.get(pid, 0.0) for pid, seconds in now.items())


def memory_bytes(pid: int) -> int:
    """What is resident of the process; its children come and go."""
    return int(psutil.Process(pid).memory_info().rss)


def wait_until_quiet(pid: int) -> None:
    """Until the process does next to nothing.

    Raises:
        SystemExit: it has not come to rest within three minutes.
    """
    deadline, quiet = time.monotonic() + QUIET_PATIENCE_SECONDS, 0
    while quiet < QUIET_LOOKS:
        if time.monotonic() > deadline:
            raise SystemExit(f"process {pid} does not come to rest")
        meter = Meter(pid)
        time.sleep(QUIET_LOOK_SECONDS)
        is_quiet = meter.seconds() < QUIET_SHARE * QUIET_LOOK_SECONDS
        quiet = quiet + 1 if is_quiet else 0


def _seconds_by_process(pid: int) -> dict[int, float]:
    found = {}
    for process in tree(pid):
        with suppress(OSError):  # it has just ended
            found[process.pid] = time.clock_gettime(_clock(process.pid))
    return found


def _clock(pid: int) -> int:
    """The kernel's clock of the time that a process has been scheduled, clock_getcpuclockid(3)."""
    return (~pid << 3) | 2
