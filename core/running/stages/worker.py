"""The process in which a sync function of a python stage runs, one call at a time.

Run as a script and not as a module of the package: it imports the standard library only, so that a
worker is up in a few hundredths of a second.
"""

import contextlib
import faulthandler
import importlib
import inspect
import io
import json
import os
import queue
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any

MAX_MESSAGE_BYTES = 64 << 20
MAX_VALUE_BYTES = 4 << 20
MAX_MESSAGE_CHARACTERS = 10_000
MAX_TRACEBACK_CHARACTERS = 50_000
MAX_DEPTH = 200
FLUSH_CHARACTERS = 65_536
FLUSH_SECONDS = 0.02
NUDGE_SECONDS = 0.02


class Stopped(BaseException):
    """Raised in a function whose stage was cancelled; `finally` blocks have the grace period."""


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage's function may ask and tell, as its second argument."""

    execution_id: str
    stage_id: str
    attempt: int
    pipeline_input: str
    """The text that the execution was started with."""
    outputs: Mapping[str, Any]
    """What each earlier stage has returned, by stage id."""
    emit: Callable[[str], None]
    """Puts out a piece of text, to be seen live."""
    _stopped: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: float, note: str = "") -> None:
        """Puts out a line that says how far the stage is; `done` from 0 to 1."""
        self.emit(f"[{done:4.0%}] {note}".rstrip() + "\n")

    @property
    def cancelled(self) -> bool:
        """Whether the stage is to stop."""
        return self._stopped.is_set()


class NotJSON(ValueError):
    """A function has returned something that no JSON can say."""


def encode_value(value: object) -> bytes:
    """A function's value as JSON that every reader of JSON takes.

    Raises:
        NotJSON: it is not JSON (NaN is not, nor is half a surrogate pair), too large, nested more
            than MAX_DEPTH deep, or has an integer of more than 64 bits in it.
    """
    try:
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        fits = len(encoded) <= MAX_VALUE_BYTES
        if fits:  # Reading 100 MB would take seconds, of the event loop's for an async function.
            check_depth(json.loads(encoded, parse_int=_integer))
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJSON(
            f"the function returned a {type(value).__name__}, which is not JSON: {error}"
        ) from None
    if not fits:
        raise NotJSON(
            f"the function returned {len(encoded)} bytes, and {MAX_VALUE_BYTES} is the limit"
        )
    return encoded


def _integer(digits: str) -> int:
    number = int(digits)
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError("an integer has more than 64 bits")
    return number


def check_depth(value: object) -> None:
    """Raises: ValueError, if the value is nested more deeply than JSON can be written again."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer)]
    if any(isinstance(each, (dict, list)) for each in level):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def describe(error: BaseException) -> dict[str, str]:
    """What an exception says of itself, even if saying it fails."""
    try:
        message = str(error) or type(error).__name__
    except BaseException:
        message = f"{type(error).__name__}, which cannot say what it is"
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException:
        trace = "".join(traceback.format_tb(error.__traceback__))
    return {
        "name": type(error).__name__,
        "message": sayable(message[:MAX_MESSAGE_CHARACTERS]),
        "traceback": sayable(trace[-MAX_TRACEBACK_CHARACTERS:]),
    }


def sayable(text: str) -> str:
    """Half a surrogate pair, which no UTF-8 can say, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def find(call: str) -> Callable[..., Any]:
    """The function that `package.module:function` names.

    Raises:
        LookupError: there is none, or its module cannot be imported.
    """
    module_name, _, path = call.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except BaseException as error:
        raise LookupError(
            f"{module_name} cannot be imported: {describe(error)['message']}"
        ) from error
    for name in path.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise LookupError(f"{module_name} has no function {path}")
    return found  # type: ignore[no-any-return]


def arguments(
    function: Callable[..., Any], input: object, context: StageContext
) -> tuple[Any, ...]:
    """The input, and the context if the function needs a second argument or calls it `context`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return (input,)
    second = [each for each in parameters if each.kind <= each.POSITIONAL_OR_KEYWORD][1:2]
    wanted = any(each.default is each.empty or each.name == "context" for each in second)
    return (input, context) if wanted else (input,)


class Channel:
    """Messages to and from the server: four bytes of length, then JSON."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, encoded: bytes) -> None:
        with self._lock:
            self._connection.sendall(struct.pack(">I", len(encoded)) + encoded)

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the server is gone."""
        header = self._read(4)
        body = header and self._read(struct.unpack(">I", header)[0])
        return json.loads(body) if body else None

    def _read(self, size: int) -> bytes:
        read = bytearray()
        while len(read) < size:
            chunk = self._connection.recv(min(size - len(read), 1 << 20))
            if not chunk:
                return b""
            read += chunk
        return bytes(read)


class Printed(io.TextIOBase):
    """What a function prints, passed on in pieces that are neither too many nor too large."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._texts: list[str] = []
        self._size = 0
        self._lock = threading.RLock()
        self._written = threading.Event()
        threading.Thread(target=self._flushing, daemon=True).start()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"only text can be put out, not {type(text).__name__}")
        with self._lock:
            self._texts.append(text)
            self._size += len(text)
            if self._size >= FLUSH_CHARACTERS:
                self.flush()
        self._written.set()
        return len(text)

    def flush(self) -> None:
        with self._lock:
            text, self._texts, self._size = "".join(self._texts), [], 0
            for start in range(0, len(text), FLUSH_CHARACTERS):
                piece = sayable(text[start : start + FLUSH_CHARACTERS])
                self._channel.send(json.dumps({"type": "emit", "text": piece}).encode())

    def _flushing(self) -> None:
        pause = threading.Event()
        while True:
            self._written.wait()
            self._written.clear()
            self.flush()
            pause.wait(FLUSH_SECONDS)


class Worker:
    """Takes calls from the server until the server is gone."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._printed = Printed(channel)
        self._imported: dict[str, float] = {}

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        threading.Thread(target=self._listen, daemon=True).start()
        sys.stdout = self._printed
        self._threads = threading.active_count()
        while not self._stopped.is_set():
            self._channel.send(self._answer(self._calls.get()))

    def _listen(self) -> None:
        while True:
            message = None
            with contextlib.suppress(OSError):
                message = self._channel.receive()
            if message is None:
                # The server is gone: end, with everything that a function has started.
                os.killpg(os.getpgrp(), signal.SIGKILL)
            elif message.get("stop"):
                threading.Thread(target=self._nudge, daemon=True).start()
            else:
                self._calls.put(message)

    def _nudge(self) -> None:
        """Sends SIGTERM to the main thread until it has noticed.

        One that another thread takes, or that comes just before a call that blocks, interrupts
        nothing: `time.sleep` would go on to its end.
        """
        main = threading.main_thread().ident
        while main is not None and not self._stopped.wait(NUDGE_SECONDS):
            signal.pthread_kill(main, signal.SIGTERM)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            raise Stopped

    def _answer(self, call: dict[str, Any]) -> bytes:
        try:
            if self._is_stale(call["call"].partition(":")[0]):
                return json.dumps({"type": "stale"}).encode()
            value = encode_value(self._perform(call))
        except BaseException as error:
            said = {"left": self._something_is_left(), **describe(error)}
            return json.dumps({"type": "error", **said}).encode()
        finally:
            self._printed.flush()
        left = json.dumps(self._something_is_left()).encode()
        return b'{"type": "value", "left": ' + left + b', "value": ' + value + b"}"

    def _something_is_left(self) -> bool:
        """Whether a thread or a child is left of the call, to disturb the next one."""
        if threading.active_count() > self._threads:
            return True
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _perform(self, call: dict[str, Any]) -> object:
        if call["folder"] not in sys.path:
            sys.path.append(call["folder"])
        function = find(call["call"])
        self._remember(sys.modules[call["call"].partition(":")[0]])
        context = StageContext(
            call["executionId"],
            call["stageId"],
            call["attempt"],
            call["pipelineInput"],
            call["outputs"],
            self._emit,
            self._stopped,
        )
        return function(*arguments(function, call["input"], context))

    def _emit(self, text: str) -> None:
        self._printed.write(text)

    def _remember(self, module: ModuleType) -> None:
        self._imported.setdefault(module.__name__, changed_at(module))

    def _is_stale(self, name: str) -> bool:
        """Whether the function's file was changed since it was imported."""
        return name in self._imported and self._imported[name] != changed_at(sys.modules[name])


def changed_at(module: ModuleType) -> float:
    """When the module's file was changed, in epoch seconds; 0 if it has none."""
    try:
        return os.stat(module.__file__ or "").st_mtime  # noqa: PTH116
    except OSError:
        return 0.0


if __name__ == "__main__":
    faulthandler.enable()
    with contextlib.suppress(Stopped):
        Worker(Channel(socket.socket(fileno=int(sys.argv[1])))).run()
