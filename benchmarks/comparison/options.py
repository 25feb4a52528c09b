"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """The sizes and rounds of a run."""

    held: tuple[int, ...] = (10, 100, 1000, 10_000)
    """How many executions are in the lists."""
    followers: tuple[int, ...] = (1, 100, 1000, 5000)
    rounds: int = 5
    seconds: float = 0.5
    """How long a server is under load in a round; a slow one longer, until it has answered some."""
    warm_seconds: float = 1.0
    starts: int = 2000


QUICK = Options(
    held=(10, 100, 1000),
    followers=(1, 100, 1000),
    rounds=2,
    seconds=0.2,
    warm_seconds=0.4,
    starts=1000,
)
