"""Readings as tables, for a terminal and as Markdown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .contestants import OURS
from .measures import (
    CHANGING,
    DETAIL,
    FIRST_ANSWER,
    FOLLOWER,
    FOLLOWING,
    HELD,
    LIST,
    MESSAGE,
    P99,
    PAGE,
    REST,
    Measure,
    Readings,
)

EMPTY = "–"
SHORT = (
    *((LIST, 100), (LIST, 1000), (CHANGING, 1000), (REST, 100), (REST, 1000), (PAGE, 1000)),
    *((DETAIL, 1000), (MESSAGE, 1000), (P99, 1000), (FOLLOWER, 1000), (FIRST_ANSWER, 0)),
)
"""What README has of all this."""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text: a head, and rows below it. The first column is what is read."""

    title: str
    head: list[str]
    rows: list[list[str]]

    def as_text(self) -> str:
        """In columns, the first to the left and the others to the right."""
        lines = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join([self.title, *("  " + _aligned(line, widths) for line in lines)])

    def as_markdown(self) -> str:
        bars = ["---", *("---:" for _ in self.head[1:])]
        lines = "\n".join(f"| {' | '.join(line)} |" for line in (self.head, bars, *self.rows))
        return f"**{self.title}**\n\n{lines}" if self.title else lines


def tables(readings: Readings) -> Iterator[Table]:
    """One for each measure that is read by sizes, and one for the others."""
    for measure in readings.measures():
        if measure.by:
            yield _by_size(readings, measure)
    single = [one for one in readings.measures() if not one.by]
    if single:
        servers = readings.servers()
        rows = [[f"{one.title}, {one.unit}", *_cells(readings, one, 0, servers)] for one in single]
        yield Table("Once for all", ["", *servers], rows)


def short_table(readings: Readings) -> Table:
    """The figures that README has, as far as they have been read."""
    servers = readings.servers()
    rows = [
        [_named(measure, size), *_cells(readings, measure, size, servers)]
        for measure, size in SHORT
        if readings.value(measure, size, OURS) is not None
    ]
    return Table("", ["", *servers], rows)


def _by_size(readings: Readings, measure: Measure) -> Table:
    servers = readings.servers(measure)
    rows = [
        [f"{size:,}", *_cells(readings, measure, size, servers)] for size in readings.sizes(measure)
    ]
    if measure.by == HELD:
        grown = [readings.growth(measure, server) for server in servers]
        rows.append(["each more, µs", *(EMPTY if one is None else _short(one) for one in grown)])
    title = f"{measure.title[:1].upper()}{measure.title[1:]}: {measure.unit}"
    return Table(title, [measure.by or "", *servers], rows)


def _named(measure: Measure, size: int) -> str:
    among = {HELD: f"{size:,} held", FOLLOWING: f"{size:,} subscribers", None: ""}[measure.by]
    return ", ".join(filter(None, (measure.title, among, measure.unit)))


def _cells(readings: Readings, measure: Measure, size: int, servers: Iterable[str]) -> list[str]:
    """Each reading, with how many times ours it is."""
    return [_cell(readings, measure, size, server) for server in servers]


def _cell(readings: Readings, measure: Measure, size: int, server: str) -> str:
    value = readings.value(measure, size, server)
    if value is None:
        return EMPTY
    ratio = readings.ratio(measure, size, server)
    beside = "" if server == OURS or ratio is None else f" ({_short(ratio)}×)"
    return _short(value) + beside


def _short(value: float) -> str:
    """With two significant digits at least, and no more behind the point than that needs."""
    size = abs(value)
    return f"{value:,.{0 if size >= 10 else 1 if size >= 1 else 2 if size >= 0.1 else 3}f}"


def _aligned(cells: list[str], widths: list[int]) -> str:
    first, *others = (
        f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()
