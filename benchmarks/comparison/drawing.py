"""Readings as a picture: how what is asked for costs more, the more there is."""

from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from .contestants import OURS
from .measures import CHANGING, LIST, MESSAGE, P99, PAGE, REST, Measure, Readings

PANELS = (LIST, CHANGING, REST, PAGE, MESSAGE, P99)
COLORS = {
    OURS: "#0969da",
    "plain Strawberry": "#cf222e",
    "graphql-yoga": "#bf3989",
    "mercurius, jit": "#9a6700",
    "Bun, no GraphQL": "#1a7f37",
}
INK, GRID = "#57606a", "#afb8c1"
DARK = {
    INK: "#adbac7",
    GRID: "#444c56",
    COLORS[OURS]: "#539bf5",
    COLORS["plain Strawberry"]: "#f47067",
    COLORS["graphql-yoga"]: "#e275ad",
    COLORS["mercurius, jit"]: "#c69026",
    COLORS["Bun, no GraphQL"]: "#57ab5a",
}


def draw(readings: Readings, file: Path) -> None:
    """Writes an SVG, which takes the colours of a dark page on one."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            **{"svg.hashsalt": "runcast", "svg.fonttype": "none", "font.size": 9},
            **{"text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRID},
            **{"xtick.color": INK, "ytick.color": INK, "grid.color": GRID},
        }
    )
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(10, 6), layout="constrained")
    for measure, panel in zip(PANELS, axes.flat, strict=True):
        _draw_panel(readings, measure, panel)
    handles = {
        label: handle
        for panel in axes.flat
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False
    )
    figure.savefig(file, transparent=True, metadata={"Date": None})
    pyplot.close(figure)
    file.write_text(_with_dark_colors(file.read_text()))


def _draw_panel(readings: Readings, measure: Measure, panel: Any) -> None:
    panel.set_title(measure.title.replace(" while", "\nwhile").replace(", 20", ",\n20"), fontsize=9)
    panel.set_xlabel(measure.by)
    panel.set_ylabel(measure.unit)
    panel.grid(alpha=0.5, linewidth=0.5)
    panel.spines[["top", "right"]].set_visible(False)
    for server in readings.servers(measure):
        points = [
            (size, value)
            for size in readings.sizes(measure)
            if (value := readings.value(measure, size, server)) is not None
        ]
        width = 2.2 if server == OURS else 1.2
        color = COLORS[server]
        panel.plot(*zip(*points, strict=True), "o-", ms=3, lw=width, color=color, label=server)
    _set_axes(panel, readings.sizes(measure))


def _set_axes(panel: Any, sizes: list[int]) -> None:
    """Both logarithmic; a number at each size, and at each power of ten."""
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    low, high = panel.get_ylim()
    panel.set_ylim(10 ** floor(log10(low)), 10 ** ceil(log10(high)))
    panel.yaxis.set_major_formatter(
        lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"
    )
    panel.minorticks_off()


def _with_dark_colors(picture: str) -> str:
    """Each colour as a variable with two values."""
    light = "".join(f"--c{color[1:]}: {color};" for color in DARK)
    dark = "".join(f"--c{color[1:]}: {other};" for color, other in DARK.items())
    for color in DARK:
        picture = picture.replace(color, f"var(--c{color[1:]})")
    style = f"svg {{{light}}} @media (prefers-color-scheme: dark) {{ svg {{{dark}}} }}"
    head, tag, rest = picture.partition("<defs>")
    return f"{head}<style>{style}</style>\n {tag}{rest}"
