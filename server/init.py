"""What the first process of a container has to do besides: reap orphans, pass signals on."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

PASSED_ON = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
}


def leave_process_1() -> None:
    """Where this is process 1, returns in a child of it; process 1 becomes its init.

    It waits for every child there is, which a server must not: it would take the exit statuses that
    `subprocess` and the event loop wait for. To be called while there is one thread.
    """
    if os.getpid() != 1:
        return
    awaited = {signal.SIGCHLD, *PASSED_ON}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    server = os.fork()
    if server:
        os._exit(_status_of(server, awaited))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _status_of(server: int, awaited: set[signal.Signals]) -> int:
    """The exit status of the server when it has ended, as shells have it."""
    while True:
        number = signal.sigwait(awaited)
        if number in PASSED_ON:
            with suppress(ProcessLookupError):
                os.kill(server, number)
            continue
        for process, status in _ended():
            if process == server:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def _ended() -> Iterator[tuple[int, int]]:
    """Reaps every child that has ended: its process id and its status."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended
