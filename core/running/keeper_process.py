"""`python -I -S keeper_process.py ID`: ends what a server has started, once the server is gone.

Its standard input says which process groups there are. It ends with the server, however that ends.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MARK = "RUNCAST_SERVER"
"""In the environment of all that a server starts: which server that was."""
ROUNDS = 100
ROUND_SECONDS = 0.01
"""What is killed may have started something meanwhile."""


def main(id: str) -> None:
    """Returns when nothing is left."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    groups = _groups_at_the_end()
    marked = f"{MARK}={id}".encode()
    for _ in range(ROUNDS):
        killed = [_killed(os.killpg, group) for group in groups]
        killed += [_killed(os.kill, process) for process in _processes_with(marked)]
        if not any(killed):
            return
        time.sleep(ROUND_SECONDS)


def _groups_at_the_end() -> set[int]:
    """Those that the server has added and not removed, when it is gone."""
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        change = groups.add if line.startswith(b"+") else groups.discard
        change(int(line[1:]))
    return groups


def _killed(kill: Callable[[int, int], None], target: int) -> bool:
    try:
        kill(target, signal.SIGKILL)
    except OSError:
        return False
    return True


def _processes_with(marked: bytes) -> Iterator[int]:
    """Whoever has it in its environment, as it was when its program began; nobody without /proc."""
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if marked in entry.read_bytes().split(b"\0"):
                yield int(entry.parent.name)


if __name__ == "__main__":
    main(sys.argv[1])
