"""Which server an execution belongs to, where several write to one database."""

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

NAME = "owner"


def owner_of(folder: Path) -> str:
    """The identity of a data folder, made at its first use: that of the server to which it belongs,
    also after a restart.

    Raises:
        OSError: it cannot be read or stored.
    """
    path = folder / NAME
    with suppress(FileNotFoundError):
        if found := path.read_text().strip():
            return found
    folder.mkdir(parents=True, exist_ok=True)
    made = uuid4().hex
    new = path.with_name(f"{NAME}.new")
    new.write_text(f"{made}\n")
    # All of it or nothing, whatever happens meanwhile.
    new.replace(path)
    return made
