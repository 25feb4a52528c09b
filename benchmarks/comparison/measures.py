"""What is measured, and the readings."""

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from .contestants import OURS


@dataclass(frozen=True, slots=True)
class Measure:
    """One quantity, by how many executions or subscribers it is read (`by`), if by any."""

    title: str
    unit: str
    by: str | None = None
    is_more_better: bool = False


CPU = "µs"
HELD, FOLLOWING = "executions", "subscribers"
LIST = Measure("GraphQL list, 8 fields", f"{CPU} a request", HELD)
CHANGING = Measure("GraphQL list while 100 executions change a second", f"{CPU} a request", HELD)
REST = Measure("REST list", f"{CPU} a request", HELD)
PAGE = Measure("first page of executionsConnection, 20 with stages", f"{CPU} a request", HELD)
DETAIL = Measure("one execution with its stages", f"{CPU} a request", HELD)
UNFOLLOWED = Measure("an execution changes, nobody follows", f"{CPU} a change", HELD)
MESSAGE = Measure("a message to a follower", f"{CPU} a message", FOLLOWING)
LIST_MESSAGE = Measure("a change to a follower of the list", f"{CPU} a message", FOLLOWING)
DIFFERENT_MESSAGE = Measure(
    "a message to a follower with variables of its own", f"{CPU} a message", FOLLOWING
)
P50 = Measure("delivery, p50", "ms", FOLLOWING)
P99 = Measure("delivery, p99", "ms", FOLLOWING)
DIFFERENT_P99 = Measure("delivery with variables of their own, p99", "ms", FOLLOWING)
LIST_P99 = Measure("delivery to followers of the list, p99", "ms", FOLLOWING)
CONNECTION = Measure("a new connection", f"{CPU} a connection", FOLLOWING)
FOLLOWER = Measure("a new follower on it", f"{CPU} a follower", FOLLOWING)
SNAPSHOTS = Measure("all come at once: connections, until each has its snapshot", "ms", FOLLOWING)
FOLLOWER_MEMORY = Measure("memory of an idle follower", "KiB", FOLLOWING)
FIRST_ANSWER = Measure("from the start of the process to its first answer", "ms")
STARTS = Measure("starts with 64 clients, each on disk", "a second", is_more_better=True)
EXECUTION_MEMORY = Measure("memory of an execution, six stages and 1 kB of input", "KiB")
ALL = (
    *(LIST, CHANGING, REST, PAGE, DETAIL, UNFOLLOWED, MESSAGE, P50, P99, LIST_MESSAGE, LIST_P99),
    *(DIFFERENT_MESSAGE, DIFFERENT_P99),
    *(CONNECTION, FOLLOWER, SNAPSHOTS, FOLLOWER_MEMORY, FIRST_ANSWER, STARTS, EXECUTION_MEMORY),
)


@dataclass(slots=True)
class Readings:
    """For each measure, size and server one reading a round; servers are read in turn."""

    _values: dict[tuple[Measure, int, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, measure: Measure, size: int, server: str, value: float) -> None:
        self._values[measure, size, server].append(value)

    def measures(self) -> list[Measure]:
        """Those of which there is a reading."""
        return [one for one in ALL if any(key[0] is one for key in self._values)]

    def sizes(self, measure: Measure) -> list[int]:
        return sorted({size for one, size, _ in self._values if one is measure})

    def servers(self, measure: Measure | None = None) -> list[str]:
        """In the order in which they were read first."""
        return list(dict.fromkeys(name for one, _, name in self._values if measure in (None, one)))

    def value(self, measure: Measure, size: int, server: str) -> float | None:
        """The median of the rounds; None if there are none."""
        values = self._values.get((measure, size, server))
        return statistics.median(values) if values else None

    def ratio(self, measure: Measure, size: int, server: str) -> float | None:
        """The server's reading to ours, round by round: the median of these."""
        theirs = self._values.get((measure, size, server), [])
        ours = self._values.get((measure, size, OURS), [])
        ratios = [one / other for one, other in zip(theirs, ours, strict=False) if other > 0]
        return statistics.median(ratios) if ratios else None

    def growth(self, measure: Measure, server: str) -> float | None:
        """What each more of the executions or subscribers adds, between the two largest sizes."""
        sizes = [size for size in self.sizes(measure) if self.value(measure, size, server)]
        if len(sizes) < 2:
            return None
        less, more = (self.value(measure, size, server) or 0 for size in sizes[-2:])
        return (more - less) / (sizes[-1] - sizes[-2])
