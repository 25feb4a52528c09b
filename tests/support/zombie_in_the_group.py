"""Leaves a zombie in its process group that nobody reaps, and ends.

The first argument is a file that takes the process id of the zombie's parent, which has left the
group. It lives until it is killed.
"""

import os
import signal
import sys
from pathlib import Path


def leave_a_zombie(path: Path) -> None:
    """Runs in the process that lives on: its child ends, and is never waited for."""
    zombie = os.fork()
    if zombie == 0:
        os._exit(0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    os.setsid()
    os.closerange(0, 3)
    written = path.with_suffix(".part")
    written.write_text(str(os.getpid()))
    written.rename(path)
    signal.pause()


if os.fork() == 0:
    leave_a_zombie(Path(sys.argv[1]))
while not Path(sys.argv[1]).exists():
    signal.sigtimedwait([], 0.01)
