"""The process that reads pipeline files: paths come in, and what the files say goes out.

It ends when its standard input does, whatever it is doing: nobody can leave it behind.
"""

import os
import pickle
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from signal import SIG_DFL, SIGPIPE, signal
from typing import BinaryIO

from .pipeline import Pipeline
from .pipeline_file import NotAPipeline, PipelineFileError, parse, read
from .problem import Problem

SIZE = struct.Struct(">I")
"""Each message is its size and then its bytes.

In come paths. Out goes READY, as soon as everything is imported; and for each path OPENED, when the
file's bytes are there, and then a pickled Reading. Without OPENED if that is not reached.
"""
READY = b"ready"
OPENED = b"opened"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: a pipeline, or problems, or neither if it is not meant as a pipeline."""

    pipeline: Pipeline | None = None
    problems: tuple[Problem, ...] = ()
    vanished: bool = False
    """The file was there when the folder was listed, and no longer when it was opened."""


def reading(path: Path, opened: Callable[[], object]) -> Reading:
    """Reads a file, and calls `opened` in between. Everything that can be wrong is a problem."""
    try:
        content = read(path)
        opened()
        return Reading(parse(path, content))
    except NotAPipeline:
        return Reading()
    except PipelineFileError as error:
        return Reading(problems=error.problems, vanished=not os.path.lexists(path))
    except Exception as error:
        message = f"it cannot be read: {type(error).__name__}: {error}"
        return Reading(problems=(Problem(path, "", message),))


def main() -> None:
    """Serves standard input and output until the input ends."""
    signal(SIGPIPE, SIG_DFL)  # A server that has gone is no error.
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # What a library prints must not get among the answers.
    paths: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, paths), daemon=True).start()
    _send(answers, READY)
    while True:
        path = Path(os.fsdecode(paths.get()))
        said = reading(path, lambda: _send(answers, OPENED))
        _send(answers, pickle.dumps(said, pickle.HIGHEST_PROTOCOL))


def _receive(requests: BinaryIO, paths: "SimpleQueue[bytes]") -> None:
    with suppress(ConnectionError):  # The server has gone without reading what it was sent.
        while size := requests.read(SIZE.size):
            paths.put(requests.read(*SIZE.unpack(size)))
    # A file that blocks, or a parser that does not end, holds up the main thread only.
    os._exit(0)


def _send(answers: BinaryIO, message: bytes) -> None:
    answers.write(SIZE.pack(len(message)) + message)
    answers.flush()
