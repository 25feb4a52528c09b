"""The signals that end a server, and how soon."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

LIKE_SIGTERM = (signal.SIGHUP, signal.SIGQUIT)
HASTENS = (signal.SIGINT, signal.SIGTERM)
SAME_SECONDS = 0.2
"""`timeout` and terminals tell a process and its group: so soon after another, two are one."""
LAST_SECONDS = 9.5
HASTENED_SECONDS = 3.0


class Stopping:
    """When the server was told to stop, and whether it was told to make haste."""

    def __init__(self) -> None:
        self._since: float | None = None

    def hastened_by(self, number: int) -> bool:
        """Takes a signal; whether it is one too many, and not the first one.

        After the first one the process ends in LAST_SECONDS, after this in HASTENED_SECONDS,
        whatever holds it up: the kernel ends it, which needs neither the event loop nor the GIL.
        """
        if self._since is None:
            self._since = monotonic()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, LAST_SECONDS)
            return False
        hastened = number in HASTENS and monotonic() - self._since >= SAME_SECONDS
        if hastened and signal.getitimer(signal.ITIMER_REAL)[0] > HASTENED_SECONDS:
            signal.setitimer(signal.ITIMER_REAL, HASTENED_SECONDS)
        return hastened


@contextmanager
def taken_like_sigterm(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handles LIKE_SIGTERM, but for what `nohup` or a shell has told this process to ignore."""
    heard = [number for number in LIKE_SIGTERM if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
