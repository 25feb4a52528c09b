"""How the server is doing."""

from dataclasses import dataclass

from ..core.execution.model import Status
from .context import Context


@dataclass(frozen=True, slots=True)
class ServerState:
    """The server at this moment; `time` in epoch ms, `retention` in seconds."""

    version: str
    engine: str
    replica: str
    stale: bool
    time: int
    retention: float
    running: int
    queued: int
    subscribers: int


def server_state(ctx: Context) -> ServerState:
    """What is running and waiting now; one that is being cancelled counts as running."""
    counts = ctx.manager.counts
    return ServerState(
        version=ctx.version,
        engine=ctx.manager.engine.name,
        replica=ctx.name,
        stale=ctx.manager.stale,
        time=ctx.clock.now(),
        retention=ctx.manager.retention,
        running=counts[Status.RUNNING] + counts[Status.CANCELLING],
        queued=counts[Status.QUEUED],
        subscribers=ctx.manager.subscribers,
    )
