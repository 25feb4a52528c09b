"""What is wrong with a pipeline file, and how bad it is."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..text import printable


class Severity(StrEnum):
    """Whether a pipeline can run in spite of a problem."""

    ERROR = "ERROR"
    """It cannot run, or a stage of it always fails: it is left out."""
    WARNING = "WARNING"
    """It may well not do what is meant, or not on this machine."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a pipeline file: `place` is as in `stages[1].timeoutMs`."""

    path: Path
    place: str
    message: str
    line: int | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        file = printable(str(self.path)) + ("" if self.line is None else f":{self.line}")
        return ": ".join(part for part in (file, self.described) if part)

    @property
    def described(self) -> str:
        """The problem without its file: `warning` if it is one, the place, and the message."""
        warning = "warning" if self.severity is Severity.WARNING else ""
        return ": ".join(part for part in (warning, self.place, self.message) if part)

    @property
    def is_error(self) -> bool:
        """Whether it keeps the pipeline from running."""
        return self.severity is Severity.ERROR
