"""The tables in README and docs, between two comments that say who writes them."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from .measures import Readings
from .options import Options
from .table import short_table, tables

ROOT = Path(__file__).parent.parent.parent
PICTURE = ROOT / "docs" / "images" / "peers.svg"
ALT = "How what requests and messages cost grows, for each server, with logarithmic axes"
BEGIN, END = "<!-- python benchmarks/peers.py --write -->\n", "<!-- end -->\n"


def write(readings: Readings, options: Options) -> None:
    """Into README the short table, into docs/performance.md all of them."""
    everything = "\n\n".join(table.as_markdown() for table in tables(readings))
    _replace(
        ROOT / "docs" / "performance.md",
        f"{_conditions(options)}\n\n![{ALT}](images/{PICTURE.name})\n\n{everything}",
    )
    short = short_table(readings).as_markdown()
    _replace(ROOT / "README.md", f"{short}\n\n![{ALT}](docs/images/{PICTURE.name})")


def _conditions(options: Options) -> str:
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("runcast", "strawberry-graphql", "uvicorn")
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {libraries}; "
        f"{options.rounds} rounds."
    )


def _replace(paper: Path, text: str) -> None:
    before, begin, rest = paper.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{paper}: there is no {BEGIN.strip()} … {END.strip()}")
    paper.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")
