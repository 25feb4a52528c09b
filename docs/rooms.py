"""Draws the rooms and their imports: `python docs/rooms.py` writes `docs/images/rooms.svg`.

An arrow is drawn for each import that no longer way of arrows implies; the dots show all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

PICTURE = Path(__file__).parent / "images" / "rooms.svg"
GROUND = "ground"
"""The modules of the core that stand in no room of their own."""
LEFT_OUT = {"runcast.__main__", "runcast.examples"}
"""Nothing imports them."""

WIDTH, MATRIX_TOP, CELL = 960, 830, 24
PAD, APART = 24, 26
"""Of the ends of arrows: from the corners of a box, and from each other."""
STYLE = """
  svg { --paper: #ffffff; --ink: #1f2328; --soft: #656d76; --line: #8c959f; --grid: #d8dee4;
        --core: #f6f8fa; --outer: #ddf4ff; --outer-line: #54aeff; --use: #dafbe1;
        --use-line: #4ac26b; --inner: #fbefff; --inner-line: #c297ff; --base: #fff8c5;
        --base-line: #d4a72c; font-family: system-ui, -apple-system, "Segoe UI", sans-serif }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #768390; --grid: #30363d;
          --core: #151b23; --outer: #0c2d4a; --outer-line: #388bfd; --use: #12331f;
          --use-line: #2ea043; --inner: #2c1e46; --inner-line: #8957e5; --base: #3a2d0c;
          --base-line: #9e6a03 } }
  .paper { fill: var(--paper) } .core { fill: var(--core); stroke: var(--grid) }
  .outer { fill: var(--outer); stroke: var(--outer-line) }
  .use { fill: var(--use); stroke: var(--use-line) }
  .inner { fill: var(--inner); stroke: var(--inner-line) }
  .base { fill: var(--base); stroke: var(--base-line) }
  rect { stroke-width: 1.5 } text { fill: var(--ink); font-size: 13px }
  .name { font-size: 16px; font-weight: 600; text-anchor: middle }
  .about { fill: var(--soft); text-anchor: middle } .note { fill: var(--soft); font-size: 14px }
  .arrow { fill: none; stroke: var(--line); stroke-width: 1.6 } #tip path { fill: var(--line) }
  .grid { stroke: var(--grid) } .dot { fill: var(--inner-line) } .row { text-anchor: end }
"""


@dataclass(frozen=True, slots=True)
class Room:
    """A box of the picture, in pixels; `floor` is the class of its colours."""

    about: str
    floor: str
    x: int
    y: int
    width: int
    height: int = 62

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


# The upper ones first: a room imports only what stands below it.
ROOMS: dict[str, Room] = {
    "server": Room("the application, the command, guards, transports", "outer", 50, 24, 860),
    "schema": Room("GraphQL", "outer", 271, 134, 309),
    "rest_compat": Room("REST and /ws", "outer", 601, 134, 309),
    "resolvers": Room("the use cases, one function each", "use", 271, 244, 639),
    "engines": Room("embedded, cluster", "inner", 50, 354, 145),
    "running": Room("stages and workers", "inner", 50, 470, 197),
    "live": Room("executions in memory", "inner", 271, 470, 197),
    "history": Room("the database", "inner", 492, 470, 197),
    "results": Room("result files", "inner", 713, 470, 197),
    "pipelines": Room("definitions and their files", "inner", 50, 586, 309),
    "execution": Room("the model, its moves, its events", "inner", 401, 586, 509),
    GROUND: Room("", "base", 50, 702, 860),
}
Arrow = tuple[str, str]


def imports() -> tuple[set[Arrow], list[str]]:
    """Which room imports which, and the modules of the ground."""
    graph = grimp.build_graph("runcast", cache_dir=None)
    core = graph.find_children("runcast.core")
    alone = sorted(module for module in core if not graph.find_children(module))
    packages = {name.rpartition(".")[2]: name for name in core - set(alone)}
    for name in graph.find_children("runcast") - LEFT_OUT - {"runcast.core"}:
        packages[name.rpartition(".")[2]] = name
    if packages.keys() != ROOMS.keys() - {GROUND}:
        raise SystemExit(f"the picture has no place for {packages.keys() ^ ROOMS.keys()}")
    parts = {room: [package] for room, package in packages.items()} | {GROUND: alone}
    found = {
        (importer, imported)
        for importer, packages_of_one in parts.items()
        for imported, packages_of_other in parts.items()
        if importer != imported
        and any(
            graph.direct_import_exists(importer=one, imported=other, as_packages=True)
            for one in packages_of_one
            for other in packages_of_other
        )
    }
    return found, [module.rpartition(".")[2] for module in alone]


def essential(found: set[Arrow]) -> set[Arrow]:
    """Those that no longer way leads along (the transitive reduction)."""
    below: dict[str, set[str]] = {}
    for room in reversed(ROOMS):
        nearest = {imported for importer, imported in found if importer == room}
        below[room] = nearest.union(*(below.get(one, set()) for one in nearest))
    return {
        (importer, imported)
        for importer, imported in found
        if not any(imported in below[between] for one, between in found if one == importer)
    }


def picture() -> str:
    """The SVG."""
    found, modules = imports()
    height = MATRIX_TOP + 120 + CELL * len(ROOMS) + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        "<title>The rooms of runcast, and which imports which</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>',
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="12"/>',
        '<rect class="core" x="30" y="326" width="900" height="458" rx="14"/>',
        '<text class="note" x="894" y="350" text-anchor="end">core</text>',
        *arrows(essential(found)),
        *(box(name, room, modules) for name, room in ROOMS.items()),
        *matrix(found),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def box(name: str, room: Room, modules: list[str]) -> str:
    about = " · ".join(modules) if name == GROUND else room.about
    return (
        f'<rect class="{room.floor}" x="{room.x}" y="{room.y}" width="{room.width}" '
        f'height="{room.height}" rx="9"/>'
        f'<text class="name" x="{room.middle:g}" y="{room.y + 27}">{name}</text>'
        f'<text class="about" x="{room.middle:g}" y="{room.y + 47}">{escape(about)}</text>'
    )


def arrows(drawn: set[Arrow]) -> Iterator[str]:
    ways = {arrow: way(*map(ROOMS.__getitem__, arrow)) for arrow in drawn}
    starts = apart({(arrow[0], *arrow): ways[arrow][0] for arrow in drawn})
    ends = apart({(arrow[1], *arrow): ways[arrow][1] for arrow in drawn})
    for importer, imported in sorted(drawn):
        x, y = starts[importer, imported], ROOMS[importer].bottom
        to_x, to_y = ends[importer, imported], ROOMS[imported].y - 2
        bend = min(60, (to_y - y) * 0.55)
        curve = f"M{x:g} {y}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y}"
        yield (
            f'<path class="arrow" data-from="{importer}" data-to="{imported}" '
            f'marker-end="url(#tip)" d="{curve}"/>'
        )


def way(upper: Room, lower: Room) -> tuple[float, float]:
    """Where an arrow leaves and arrives: straight down, or else at the corners that are nearest."""
    narrow, wide = sorted((upper, lower), key=lambda room: room.width)
    if within(wide, narrow.middle) == narrow.middle:
        return narrow.middle, narrow.middle
    left, right = max(upper.x, lower.x), min(upper.right, lower.right)
    if left + 2 * PAD <= right:
        return (left + right) / 2, (left + right) / 2
    return within(upper, lower.middle), within(lower, upper.middle)


def within(room: Room, x: float) -> float:
    return min(max(x, room.x + PAD), room.right - PAD)


def apart(places: Mapping[tuple[str, str, str], float]) -> dict[Arrow, float]:
    """The same by arrow, those at one side of a room moved away from each other."""
    moved: dict[Arrow, float] = {}
    last: dict[str, float] = {}
    for (room, *arrow), place in sorted(places.items(), key=lambda item: (item[1], item[0])):
        last[room] = max(place, last.get(room, 0) + APART)
        moved[arrow[0], arrow[1]] = last[room]
    return moved


def matrix(found: set[Arrow]) -> Iterator[str]:
    """A row for each room that imports, a column for each that is imported."""
    left, top, names = 150, MATRIX_TOP + 110, list(ROOMS)
    right, bottom = left + CELL * len(names), top + CELL * len(names)
    for number, name in enumerate(names):
        at = CELL * number + CELL / 2
        turned = f"translate({left + at + 4:g} {top - 8}) rotate(-60)"
        yield f'<text class="row" x="{left - 10}" y="{top + at + 4:g}">{name}</text>'
        yield f'<text transform="{turned}">{name}</text>'
    for number in range(len(names) + 1):
        at = CELL * number
        yield f'<path class="grid" d="M{left} {top + at}H{right}M{left + at} {top}V{bottom}"/>'
    yield f'<path class="grid" d="M{left} {top}L{right} {bottom}"/>'
    for importer, imported in sorted(found, key=lambda arrow: tuple(map(names.index, arrow))):
        x, y = (CELL * names.index(name) + CELL / 2 for name in (imported, importer))
        yield (
            f'<circle class="dot" data-from="{importer}" data-to="{imported}" '
            f'cx="{left + x:g}" cy="{top + y:g}" r="5"/>'
        )
    notes = (
        "An arrow leads from a room to one that it imports.",
        "Where other arrows lead there, too, it is left out.",
        "",
        "A dot stands for every import: the room on the left",
        "imports the one above. All dots are above the diagonal:",
        "nothing imports what stands over it.",
    )
    for number, note in enumerate(notes):
        yield f'<text class="note" x="{right + 60}" y="{top + 40 + 24 * number}">{note}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture())
