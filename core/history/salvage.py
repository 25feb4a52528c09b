"""Reads what can be read of a damaged SQLite file."""

import sqlite3
from collections.abc import Iterator
from itertools import chain

from .database import is_damage

MOST_UNKNOWN = 1_000_000
"""How many row numbers are tried between two that are known."""


def readable_rows(source: sqlite3.Connection, table: str) -> Iterator[sqlite3.Row]:
    """Every row of a table that can be read, in the order of their numbers.

    A table without any readable page has none.
    """
    for number in _row_numbers(source, table):
        try:
            row = source.execute(
                f"SELECT * FROM {table} NOT INDEXED WHERE rowid = ?", (number,)
            ).fetchone()
        except sqlite3.DatabaseError as error:
            _check_is_damage(error)
            continue
        if row is not None:
            yield row


def known_ids(source: sqlite3.Connection, table: str) -> set[bytes]:
    """The ids in the index of a table, as far as it can be read: also those of lost rows."""
    index = f"sqlite_autoindex_{table}_1"
    found = _until_damage(source, f"SELECT id FROM {table} INDEXED BY {index} ORDER BY id")
    backwards = _until_damage(source, f"SELECT id FROM {table} INDEXED BY {index} ORDER BY id DESC")
    return {id for id in chain(found, backwards) if isinstance(id, bytes)}


def _row_numbers(source: sqlite3.Connection, table: str) -> list[int]:
    """Those that there may be: of the table from either end, of its indexes, and in between."""
    forwards = _numbers(source, f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid")
    backwards = _numbers(source, f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid DESC")
    known = forwards | backwards
    for (index,) in _names(source, table):
        known |= _numbers(source, f'SELECT rowid FROM {table} INDEXED BY "{index}"')
    if known and not forwards & backwards:
        first, last = max(forwards, default=0), min(backwards, default=max(known))
        known.update(range(first, min(last, first + MOST_UNKNOWN)))
    return sorted(known)


def _names(source: sqlite3.Connection, table: str) -> list[tuple[str]]:
    try:
        return source.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?", (table,)
        ).fetchall()
    except sqlite3.DatabaseError as error:
        _check_is_damage(error)
        return []


def _numbers(source: sqlite3.Connection, question: str) -> set[int]:
    return {number for number in _until_damage(source, question) if isinstance(number, int)}


def _until_damage(source: sqlite3.Connection, question: str) -> Iterator[object]:
    try:
        for (value,) in source.execute(question):
            yield value
    except sqlite3.DatabaseError as error:
        _check_is_damage(error)


def _check_is_damage(error: sqlite3.DatabaseError) -> None:
    """A disk that fails, or a lock, is no reason to give something up for lost."""
    # A table or an index that is not in a schema that can be read is an OperationalError.
    lacks = "no such" in str(error) or "no query solution" in str(error)
    if not (lacks or is_damage(error)):
        raise error
