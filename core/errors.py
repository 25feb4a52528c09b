"""Everything that runcast refuses, as one tree.

::

    RuncastError
    ├── NotFound          NOT_FOUND       no such execution, pipeline or stage
    ├── InvalidInput      INVALID_INPUT   an argument is invalid; `path` says which
    ├── AlreadyEnded      ALREADY_ENDED   the execution has its final status
    ├── Conflict          CONFLICT        it does not fit the present state
    ├── CapacityReached   CAPACITY        a bound is reached; try again later
    ├── Unavailable       UNAVAILABLE     the server is stopping, or what it needs is away
    │   └── Stopping                      it stops before what is followed has come to its end
    ├── Forbidden         FORBIDDEN       the caller may not do this
    ├── PipelineFileError (internal)      a file is no pipeline; see core/pipelines
    │   └── NotAPipeline                  and is not meant as one
    ├── IllegalMove       (internal)      an event that the state machine does not allow
    ├── EventsMissing     (internal)      an event that does not follow the latest one
    └── StageError        (internal)      a stage failed; it becomes the execution's error
        └── StageTimeout
"""

from collections.abc import Sequence
from typing import ClassVar


class RuncastError(Exception):
    """The root of the tree. `code` is None for errors that clients never see."""

    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(path)


class NotFound(RuncastError):
    """There is no execution, pipeline or stage of that id."""

    code = "NOT_FOUND"


class InvalidInput(RuncastError):
    """A value from outside is not acceptable; `path` leads to it."""

    code = "INVALID_INPUT"


class AlreadyEnded(RuncastError):
    """The execution has ended; a terminal status never changes."""

    code = "ALREADY_ENDED"


class Conflict(RuncastError):
    """The request does not fit what is there now."""

    code = "CONFLICT"


class CapacityReached(RuncastError):
    """A bound of the server is reached; nothing was changed."""

    code = "CAPACITY"


class Unavailable(RuncastError):
    """The server cannot do it at the moment; nothing was changed."""

    code = "UNAVAILABLE"


class Stopping(Unavailable):
    """The server stops, and what is followed has not ended: there may be more to see later."""

    def __init__(self) -> None:
        super().__init__("the server is stopping")


class Forbidden(RuncastError):
    """The caller may not do this."""

    code = "FORBIDDEN"


class IllegalMove(RuncastError):
    """An event asks for a move that the state machine does not have. Nothing was changed."""


class EventsMissing(RuncastError):
    """An event does not follow the latest one that is known of its execution."""


class StageError(RuncastError):
    """One attempt of a stage failed.

    `type` names the kind of failure (an exception's class, `ExitStatus`, ...), `retryable` says
    whether another attempt may help.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str = "StageError",
        traceback: str | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(message)
        self.type = type
        self.traceback = traceback
        self.retryable = retryable


class StageTimeout(StageError):
    """A stage, or the whole execution, took longer than its `timeoutMs`."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type="Timeout")
