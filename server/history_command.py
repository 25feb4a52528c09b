"""`runcast history`: what can be done with a history while no server uses it."""

import sqlite3
import sys
import time
from pathlib import Path
from typing import NoReturn

import click
from sqlalchemy.exc import DatabaseError

from ..core.errors import Unavailable
from ..core.history import FILE_NAME
from ..core.history.check import faults
from ..core.history.rebuild import rebuilt
from .data import DataLock


def check(data: Path) -> None:
    """Prints what is wrong, and ends the process with 1 if anything is."""
    path = _file_in(data)
    found = _faults(path)
    for fault in found:
        click.echo(f"{path}: {fault}", err=True)
    if found:
        _fail(f"{path} is damaged: `runcast history repair` rebuilds it around the damage")
    click.echo(f"{path}: all good")


def repair(data: Path) -> None:
    """Rebuilds a damaged history, and prints what is lost."""
    path = _file_in(data)
    lock = DataLock(data)
    try:
        lock.take()
        if not _faults(path):
            click.echo(f"{path}: nothing to repair")
            return
        result = rebuilt(path, int(time.time() * 1000))
    except (DatabaseError, sqlite3.Error, OSError, Unavailable) as error:
        _fail(f"{path} cannot be repaired: {getattr(error, 'orig', None) or error}")
    finally:
        lock.release()
    for execution_id, what in sorted(result.lost.items()):
        click.echo(f"{execution_id}: {what}")
    number = len(result.lost)
    lost = "nothing is lost" if not number else f"of {number} of them something is lost"
    click.echo(f"{path}: rebuilt with {result.executions} executions, {lost}")
    click.echo(f"The damaged file is {result.aside}")


def _file_in(data: Path) -> Path:
    path = data.absolute() / FILE_NAME
    if not path.exists():
        _fail(f"there is no history in {data}")
    return path


def _faults(path: Path) -> list[str]:
    try:
        return list(faults(path))
    except sqlite3.Error as error:
        _fail(f"{path} cannot be read: {error}")


def _fail(message: str) -> NoReturn:
    click.echo(f"runcast: {message}", err=True)
    sys.exit(1)
