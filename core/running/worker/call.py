"""One call of a function: what it is given, and the answer that goes back."""

import os
import threading
from collections.abc import Callable
from json import loads
from typing import Any

from .channel import Channel
from .context import StageContext, arguments
from .frames import Head
from .output import CallOutput, Flusher
from .values import NotJSON, described, encoded_value


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
        given = loads(body)
        self._input = given["input"]
        self._context = StageContext(
            head["executionId"],
            head["stageId"],
            head["attempt"],
            given["pipelineInput"],
            given["outputs"],
            self._emit,
            self.stopped,
        )

    def arguments(self, function: Callable[..., Any]) -> tuple[Any, ...]:
        return arguments(function, self._input, self._context)

    def answer_value(self, value: object, *, clean: Callable[[], bool]) -> None:
        """Answers with what the function has returned.

        `clean` says whether the process is as it was before the call.
        """
        try:
            encoded = encoded_value(value)
        except NotJSON as error:
            self.answer_error(error, clean=clean)
        else:
            self._answer({"type": "value", "clean": clean()}, encoded)

    def answer_error(self, error: BaseException, *, clean: Callable[[], bool]) -> None:
        """Answers with what the function has raised, or why its value cannot be sent."""
        retryable = not isinstance(error, NotJSON)
        head = {"type": "error", "clean": clean(), "retryable": retryable}
        self._answer({**head, **described(error)})

    def answer_stale(self) -> None:
        """Asks for another worker: this one's module has changed, or is not what was expected."""
        self._answer({"type": "stale"})

    def _answer(self, head: Head, body: bytes = b"") -> None:
        if os.getpid() != self._process:
            # The function has forked, and this is the fork: the call is the other one's.
            os._exit(0)
        self.output.flush()
        self._channel.send({**self._head, **head}, body)

    def _emit(self, text: str) -> None:
        self.output.write("stdout", text)
