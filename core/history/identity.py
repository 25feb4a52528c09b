"""Whether the files that are open are still those at their paths."""

from pathlib import Path
from typing import TypeAlias

Identity: TypeAlias = tuple[int, int] | None
"""Device and inode; None if there is no such file, or nothing in it."""

BESIDE = ("-wal", "-shm")
"""What SQLite has beside a database: without it, what was committed last is lost with a process."""


class Replaced(OSError):
    """What is open is not what is there: whatever is written to it goes when the process does."""


def identity(path: Path) -> Identity:
    """
    Raises:
        OSError: it cannot be found out.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_dev, found.st_ino) if found.st_size or path.name.endswith(BESIDE) else None


class OpenFiles:
    """A database that this process has open, as its files were when it was opened."""

    def __init__(self, path: Path) -> None:
        self._paths = [path, *(path.with_name(path.name + ending) for ending in BESIDE)]
        self._known: dict[Path, Identity] = {}

    def opened(self) -> None:
        """What is there now is what is open."""
        self._known = {path: identity(path) for path in self._paths}

    def closed(self) -> None:
        """The database may be opened again; the files beside it are made anew then."""
        self._known = {path: self._known[path] for path in self._paths[:1] if path in self._known}

    def check(self) -> None:
        """
        Raises:
            Replaced: a file has gone, or another one is in its place.
            OSError: it cannot be found out.
        """
        for path, known in self._known.items():
            if (found := identity(path)) != known:
                happened = "was removed" if found is None else "was replaced by another file"
                raise Replaced(f"{path.name} {happened} while it was open")

    def forget(self) -> None:
        """Leaves what is open, and removes what still lies beside the place of a database that has
        gone: SQLite would take it for a part of the next one there."""
        gone = [path for path, known in self._known.items() if identity(path) != known]
        if self._paths[0] in gone:
            for path in self._paths[1:]:
                if path in self._known and path not in gone:
                    path.unlink(missing_ok=True)
        self._known = {}
