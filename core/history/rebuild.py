"""Makes a new history file of what can be read of a damaged one."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ..errors import Unavailable
from ..execution.model import Execution
from ..execution.record import dump, load
from .database import is_damage, writer_engine
from .identity import BESIDE
from .records import SUMMARY, UNREADABLE, remnant
from .salvage import known_ids, readable_rows
from .table import AGE, put, row_of
from .versions import SCHEMA_VERSION, bring_up_to_date

RECORD_LOST = "its input, stages and output are lost"
ALL_LOST = "nothing of it is left"
WORDS = ("id", "pipeline_id", "pipeline_name", "start_key")
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many executions are in the new file, what is lost of which, and where the old one is."""

    executions: int
    lost: Mapping[str, str]
    aside: Path

    def __str__(self) -> str:
        lines = [f"the history was rebuilt with {self.executions} executions"]
        lines += [f"{id}: {what}" for id, what in islice(self.lost.items(), SHOWN)]
        if len(self.lost) > SHOWN:
            lines.append(f"and {len(self.lost) - SHOWN} more of which something is lost")
        return "; ".join([*lines, f"the damaged file is {self.aside.name}"])


def rebuilt(path: Path, now: int) -> Rebuilt:
    """Puts a new file in the place of a damaged one, which nobody may have open; `now` in epoch ms.

    Raises:
        DatabaseError, sqlite3.Error, OSError: it cannot be done now; nothing was changed.
        Unavailable: the file is of a later version; nothing was changed.
    """
    new = path.with_name(f"{path.name}.new")
    _remove(new)
    try:
        executions, lost = _copied(path, new, now)
    except BaseException:
        _remove(new)
        raise
    aside = _moved_aside(path, now)
    new.rename(path)
    return Rebuilt(executions, lost, aside)


def _copied(path: Path, new: Path, now: int) -> tuple[int, dict[str, str]]:
    engine = writer_engine(new)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as source:
            source.row_factory = sqlite3.Row
            _check_version(source)
            with engine.begin() as target:
                bring_up_to_date(target, now)
                return _Copy(source, target).made()
    finally:
        engine.dispose()


class _Copy:
    """Rows are made of their records, which have all that is in them; but for `kept_since`."""

    def __init__(self, source: sqlite3.Connection, target: Connection) -> None:
        self._source = source
        self._target = target
        self._copied: set[str] = set()
        self._lost: dict[str, str] = {}

    def made(self) -> tuple[int, dict[str, str]]:
        rows = dict(_rows(self._source))
        for record in readable_rows(self._source, "records"):
            if (execution := _loaded(record["content"])) is not None:
                self._put(execution, record["content"], rows.get(execution.id))
        for id in rows.keys() - self._copied:
            execution = remnant(rows[id])
            self._put(execution, dump(execution), rows[id])
            self._lost[id] = RECORD_LOST
        for table in ("executions", "records"):
            for text in map(_text, known_ids(self._source, table)):
                if text not in self._copied:
                    self._lost[text] = ALL_LOST
        for age in readable_rows(self._source, "age"):
            self._target.execute(AGE.insert().values(**dict(age)))
        return len(self._copied), self._lost

    def _put(self, execution: Execution, content: bytes, row: Mapping[str, Any] | None) -> None:
        kept_since = execution.ended_at if row is None else row["kept_since"]
        found = row_of(execution, len(content)) | {"kept_since": kept_since}
        put(self._target, [found], [{"id": execution.id, "content": content}])
        self._copied.add(execution.id)


def _rows(source: sqlite3.Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is needed of each, by id; what an earlier version does not have is None."""
    for row in readable_rows(source, "executions"):
        found = dict(row)
        values: dict[str, Any] = {name: found.get(name) for name in SUMMARY}
        values["kept_since"] = found.get("kept_since", found["ended_at"])
        try:
            words = {name: _text(values[name]) for name in WORDS if values[name] is not None}
            values |= words
            remnant(values)
        except UNREADABLE:
            continue  # What SQLite takes for a row need not be one.
        yield words["id"], values


def _check_version(source: sqlite3.Connection) -> None:
    try:
        (version,) = source.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return
    if version > SCHEMA_VERSION:
        raise Unavailable(f"the history is of a newer version of runcast ({version})")


def _loaded(content: object) -> Execution | None:
    try:
        return load(content) if isinstance(content, bytes) else None
    except UNREADABLE:
        return None


def _text(id: bytes) -> str:
    return id.decode("utf-8", "surrogatepass")


def _moved_aside(path: Path, now: int) -> Path:
    while (aside := path.with_name(f"{path.name}.broken-{now}")).exists():
        now += 1
    for suffix in (*BESIDE, ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _remove(path: Path) -> None:
    for suffix in ("", *BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
