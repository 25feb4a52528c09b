"""How the file descriptors of the process are shared out, so that clients cannot take them all."""

import logging
import sys
from dataclasses import dataclass

OWN = 64
"""The database, the log, the event loop, the folders that are watched, worker processes."""
PER_EXECUTION = 8
"""A program's pipes, its input and what is stored of its output."""
BACKLOG = 2048
"""Connections that the system has made and that nobody has looked at; in one round of the loop all
of them may be accepted, before the first one can be turned away."""

logger = logging.getLogger("runcast.connections")


@dataclass(frozen=True, slots=True)
class Share:
    """What connections may take: so many that are open, and so many that come in one moment."""

    connections: int
    backlog: int


def share_for_connections(most: int, executions: int) -> Share:
    """The share of connections, of which there should be `most`, beside so many executions.

    The limit of the process is raised for it as far as the system allows.
    """
    wanted = OWN + PER_EXECUTION * executions + most + BACKLOG
    share = shared(_limit(wanted), most, executions)
    if share.connections < most:
        logger.warning(
            "%d connections at most, not %d: the limit of open files (ulimit -n) is too low",
            share.connections,
            most,
        )
    return share


def shared(limit: int, most: int, executions: int) -> Share:
    """Of a limit that is too low, executions get what they need, up to half of it."""
    put_aside = min(OWN + PER_EXECUTION * executions, limit // 2)
    backlog = min(BACKLOG, (limit - put_aside) // 4)
    return Share(min(most, limit - put_aside - backlog), backlog)


def _limit(wanted: int) -> int:
    """The limit of the process, raised to what is wanted if that is possible."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if soft != infinite and soft < wanted:
        soft = wanted if hard == infinite else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == infinite else soft
