"""One call of a function: what it is given, and the answer that goes back."""

import os
import threading
from collections.abc import Callable
from typing import Any

from ...json_text import NotJSON, decode
from .channel import Channel
from .context import StageContext, arguments
from .frames import Head
from .output import CallOutput, Flusher
from .values import (
    OutputTooLarge,
    described,
    encoded_value,
    outputs_of,
    read_value,
    store_value,
)


class Call:
    """Its answers carry its id and its nonce, so that they are taken for those of no other call."""

    def __init__(
        self,
        head: Head,
        body: bytes,
        channel: Channel,
        flusher: Flusher,
        stopped: threading.Event,
    ) -> None:
        self.id: int = head["id"]
        self.path: str = head["path"]
        self.is_async: bool = head["async"]
        """What the server takes the function for."""
        self.stopped = stopped
        """Set when the server wants it to stop."""
        self._head = {"id": self.id, "nonce": head["nonce"]}
        self._channel = channel
        self._process = os.getpid()
        self.output = CallOutput(channel, self._head, flusher)
        given: Any = decode(body.decode())
        self._limit: int = head["limit"]
        self._file: str = head["file"]
        """Where a value goes that is too large for a message."""
        self._arguments: tuple[Any, StageContext] | OSError
        try:
            self._arguments = read_value(given["input"]), self._context(head, given)
        except OSError as error:
            self._arguments = error

    def _context(self, head: Head, given: Any) -> StageContext:
        return StageContext(
            head["executionId"],
            head["stageId"],
            head["attempt"],
            read_value(given["pipelineInput"]),
            outputs_of(given["outputs"]),
            head["workdir"],
            self.output,
            self.stopped,
        )

    def arguments(self, function: Callable[..., Any]) -> tuple[Any, ...]:
        """What the function is called with.

        Raises:
            OSError: what it is given cannot be read.
        """
        if isinstance(self._arguments, OSError):
            raise self._arguments
        return arguments(function, *self._arguments)

    def answer_value(self, value: object, *, clean: Callable[[], bool]) -> None:
        """Answers with what the function has returned.

        `clean` says whether the process is as it was before the call.
        """
        try:
            is_text, encoded = encoded_value(value, self._limit)
            where = store_value(encoded, self._file)
        except (NotJSON, OutputTooLarge, OSError) as error:
            self.answer_error(error, clean=clean)
        else:
            head = {"type": "value", "clean": clean(), "text": is_text, "stored": where}
            self._answer(head, b"" if where else encoded)

    def answer_error(self, error: BaseException, *, clean: Callable[[], bool]) -> None:
        """Answers with what the function has raised, or why its value cannot be sent."""
        retryable = not isinstance(error, NotJSON | OutputTooLarge)
        said = described(error)
        if isinstance(error, Exception) and not isinstance(error, NotJSON | OutputTooLarge):
            self.output.write("stderr", said["traceback"])
        head = {"type": "error", "clean": clean(), "retryable": retryable}
        self._answer({**head, **said})

    def answer_stale(self) -> None:
        """Asks for another worker: this one's module has changed, or is not what was expected."""
        self._answer({"type": "stale"})

    def _answer(self, head: Head, body: bytes = b"") -> None:
        if os.getpid() != self._process:
            # The function has forked, and this is the fork: the call is the other one's.
            os._exit(0)
        self.output.flush()
        self._channel.send({**self._head, **head}, body)
