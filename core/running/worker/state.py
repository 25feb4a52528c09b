"""What a function may leave changed for those that come after it in the same process."""

import os
import signal
import socket
import sys
import threading
from typing import TypeAlias

OWN_THREADS = ("asyncio_", "waitpid-")
"""How asyncio calls the threads that it keeps for all."""

SIGNALS = sorted(set(range(1, 32)) & signal.valid_signals())
"""All but those that only real-time programs use."""
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

Facts: TypeAlias = tuple[object, ...]


class ProcessState:
    """The process as it was, to be compared with what it is."""

    def __init__(self) -> None:
        self._facts = _facts()
        self._threads = _threads()

    def changed(self, *, children: bool = True) -> bool:
        """Whether something is different, or a thread is left, or (if asked for) a child."""
        if not _threads() <= self._threads or _facts() != self._facts:
            return True
        return children and _has_children()


def _facts() -> Facts:
    return (
        _working_directory(),
        dict(os.environ),
        [signal.getsignal(each) for each in SIGNALS],
        [signal.getitimer(each) for each in TIMERS],
        (sys.stdin, sys.stdout, sys.stderr),
        list(sys.path),
        _file_mode_mask(),
        socket.getdefaulttimeout(),
    )


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # It was removed.
        return None


def _file_mode_mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if not each.name.startswith(OWN_THREADS)}


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
