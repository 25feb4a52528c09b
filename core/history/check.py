"""Looks for damage in a history file that nobody need have open."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..execution.record import load
from .database import is_damage
from .records import UNREADABLE
from .salvage import known_ids, readable_rows

MOST = 100
"""So many faults of SQLite's own are named."""


def faults(path: Path) -> Iterator[str]:
    """What is wrong with a history file, for people: nothing if it is whole. Blocks.

    Raises:
        sqlite3.Error: it cannot be read at all, now.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source:
        source.row_factory = sqlite3.Row
        try:
            for (line,) in source.execute(f"PRAGMA integrity_check({MOST})"):
                if line != "ok":
                    yield from str(line).splitlines()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            yield str(error)
        yield from _unreadable_records(source)


def _unreadable_records(source: sqlite3.Connection) -> Iterator[str]:
    whole = set()
    for record in readable_rows(source, "records"):
        try:
            whole.add(load(record["content"]).id)
        except UNREADABLE:
            continue
    for id in sorted(known_ids(source, "executions") | known_ids(source, "records")):
        if (text := id.decode("utf-8", "backslashreplace")) not in whole:
            yield f"the record of {text} cannot be read"
