"""Everything that the stages of executions say and make: logs, values, and their own files."""

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Self, TypeVar, TypeVarTuple
from uuid import uuid4

from ..errors import Unavailable
from ..execution.log import LogSlice, LogStream, OutputSlice
from ..execution.model import Execution, StageRun
from ..execution.stage_log import StageLog
from ..execution.stored import StoredValue
from ..json_value import JSON, loads
from .blobs import FolderBlobs
from .log_position import STREAMS
from .log_writer import LogWriter
from .logs import LogStore
from .outputs import Outputs
from .remains import Remains
from .result import value_text
from .value_spool import INLINE_BYTES, ValueSpool
from .values import ValueStore

logger = logging.getLogger("runcast.files")

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

LOG_MAX_BYTES = 64 << 20
WRITERS, READERS = 4, 4
"""Threads. Those who read do not keep those waiting who write."""
SHARED_INLINE_BYTES = 16 << 10
"""All values of an execution together are sent with each of its steps, in a message of 1 MiB."""
INPUT = "input"
"""What an execution's input is called where values are called by their stage."""
MAX_INPUT_BYTES = 1 << 21
SHOWN_JSON_BYTES, SHOWN_JSON_COMMAS = 4 << 20, 50_000
"""To read it takes 20 ms, in which no other thread runs, whichever reads it."""
SMALL_CHARACTERS = 65_536
SMALL_PARTS = 1000
CHARACTERS_OF_A_PART = 100
"""What takes less than a millisecond to spell need not wait for a thread."""
FINISH_SECONDS = 1.0
"""How often it is tried to say in logs that their end could not be stored."""


class ExecutionFiles:
    """Logs and values live as long as the history's record of their execution, its folder for as
    long as it is in the lists. An async context manager.

    What is not awaited waits for a disk, and is called in `writers`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log_max: int,
        outputs: Outputs | None = None,
        shared: Path | None = None,
        has_history: bool = True,
    ) -> None:
        """`outputs` has the result files, which go with the record as well.

        Other processes write logs and values into the folder `shared`, too. Where there is no
        history, those go when their execution leaves the lists.
        """
        folder, root = folder.absolute(), (shared or folder).absolute()
        blobs = FolderBlobs(root)
        self._is_shared = shared is not None
        self._has_history = has_history
        self.logs = LogStore(blobs, max_bytes=log_max)
        inline_bytes = INLINE_BYTES if shared is None else SHARED_INLINE_BYTES
        self.values = ValueStore(blobs, inline_bytes=inline_bytes)
        self.remains = Remains(self.logs, self.values, outputs)
        self.writers = ThreadPoolExecutor(WRITERS, "runcast-files-writer")
        self._readers = ThreadPoolExecutor(READERS, "runcast-files-reader")
        # One: whoever computes in Python has the event loop wait for its turn.
        self._speller = ThreadPoolExecutor(1, "runcast-speller")
        self._work = folder / "work"
        new = root / "values" / "new"
        # Whoever begins clears it.
        self._new = new / uuid4().hex if self._is_shared else new
        self._numbers = count(1)

    async def __aenter__(self) -> Self:
        await self._in_thread(self._begin)
        self._finisher = asyncio.create_task(self._finishing(), name="runcast logs")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._finisher.cancel()
        await asyncio.wait([self._finisher])
        # What is not said now is not known to the next server.
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await self._finish()
        if self._is_shared:
            shutil.rmtree(self._new, ignore_errors=True)
        self.writers.shutdown(wait=False)
        self._readers.shutdown(wait=False)
        self._speller.shutdown(wait=False, cancel_futures=True)

    @property
    def problem(self) -> str | None:
        """Why something cannot be written at the moment; None while all is well."""
        return self.logs.problem

    # What running stages need: see `running.stores.Stores`

    @property
    def inline_bytes(self) -> int:
        return self.values.inline_bytes

    def open_log(self, execution_id: str, stage_id: str, attempt: int) -> LogWriter:
        return self.logs.open(execution_id, stage_id, attempt)

    def spool(self, execution_id: str, stage_id: str, attempt: int, limit: int) -> ValueSpool:
        return self.values.spool(execution_id, stage_id, attempt, limit=limit)

    def new_file(self) -> Path:
        return self._new / str(next(self._numbers))

    def adopt(
        self, execution_id: str, stage_id: str, attempt: int, file: Path, sha256: str
    ) -> StoredValue:
        return self.values.adopt(execution_id, stage_id, attempt, file, sha256)

    def path(self, value: StoredValue) -> Path:
        path = self.values.path(value)
        assert path is not None, "the values are in a folder of this machine"
        return path

    def read(self, value: StoredValue, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return self.values.read(value, start, end)

    def workdir(self, execution_id: str) -> Path:
        return self._work / execution_id

    # What readers need

    async def output(
        self, execution_id: str, stage_id: str, attempt: int, offset: int, limit: int
    ) -> OutputSlice:
        """A part of stdout."""
        return await self._in_thread(
            self.logs.read_output, execution_id, stage_id, attempt, offset, limit
        )

    async def log(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        offset: int,
        limit: int,
        streams: Collection[LogStream] = STREAMS,
    ) -> LogSlice:
        """A part of an attempt's log."""
        return await self._in_thread(
            self.logs.read, execution_id, stage_id, attempt, offset, limit, streams
        )

    async def log_size(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        streams: Collection[LogStream],
    ) -> int:
        """How many bytes an attempt's log has as text in UTF-8."""
        return await self._in_thread(self.logs.size_bytes, execution_id, stage_id, attempt, streams)

    def log_bytes(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        start: int,
        end: int,
        streams: Collection[LogStream],
    ) -> Iterator[bytes]:
        """A part of an attempt's log as text in UTF-8."""
        return self.logs.read_bytes(execution_id, stage_id, attempt, start, end, streams)

    async def in_pieces(self, chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
        """What somebody reads from a disk, each piece in a thread."""
        while (chunk := await self._in_thread(next, chunks, None)) is not None:
            yield chunk

    async def content(self, value: StoredValue) -> bytes:
        """The whole of a value: text in UTF-8, or that of JSON."""
        return await self._in_thread(self._whole, value)

    async def beginning(self, value: StoredValue, characters: int) -> str:
        """The first characters of a value, as text."""
        return await self._in_thread(self._beginning, value, characters)

    async def spelled(
        self, execution: Execution, characters: int, spell: Callable[[Execution], Result]
    ) -> Result:
        """What `spell` makes of the execution `with_texts`; in a thread, unless all is small."""
        if not any(map(_takes_long, _parts(execution))):
            return spell(execution)

        def work() -> Result:
            return spell(self.with_texts(execution, characters))

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._speller, work)

    def with_texts(self, execution: Execution, characters: int) -> Execution:
        """The same as it can be shown: with the beginning of what each stage has said and made.

        Each stage's log has so many characters of stdout as its `head`, and a value in a file is
        its beginning as text; the input is whole. Waits for the disk.
        """
        stages = tuple(self._with_text(execution.id, one, characters) for one in execution.stages)
        output, input = execution.output, execution.input
        if isinstance(output, StoredValue):
            output = self._shown(output, characters)
        if isinstance(input, StoredValue):
            input = str(self._content(input))
        return replace(execution, stages=stages, output=output, input=input)

    def _with_text(self, execution_id: str, stage: StageRun, characters: int) -> StageRun:
        log, value = stage.log, stage.value
        head = log.output(0, characters)
        if head is None and log.of_value:
            head = value_text(stage)[:characters]
        elif head is None:
            stored = self.logs.read_output(execution_id, stage.id, stage.attempt, 0, characters)
            head = stored.text
        if isinstance(value, StoredValue):
            value = self._shown(value, characters)
        return replace(stage, log=replace(log, head=head), value=value)

    # Life and death

    async def own(self, execution: Execution) -> Execution:
        """See `live.follower.OwnFiles`."""
        input = execution.input
        is_large = isinstance(input, StoredValue) or len(input) > self.inline_bytes // 4
        if not is_large and not any(stage.attempts for stage in execution.stages):
            return execution
        try:
            return await self._in_thread(self._own, execution)
        except OSError as error:
            raise Unavailable(f"the input cannot be stored: {error.strerror}") from error

    async def disown(self, execution_id: str) -> None:
        """See `live.follower.OwnFiles`."""
        await self._in_thread(self.remains.ownerless, [execution_id])

    def _own(self, execution: Execution) -> Execution:
        try:
            input = self._own_input(execution)
            stages = tuple(self._own_stage(execution, stage) for stage in execution.stages)
        except OSError:
            self.remains.ownerless([execution.id])
            raise
        return replace(execution, input=input, stages=stages)

    def _own_input(self, execution: Execution) -> str | StoredValue:
        input = execution.input
        if isinstance(input, StoredValue):
            return self.values.copy(input, execution.id)
        if len(input) <= self.inline_bytes // 4:
            return input
        spool = self.values.spool(execution.id, INPUT, 0, limit=MAX_INPUT_BYTES)
        stored = spool.store(input.encode())
        return input if isinstance(stored, bytes) else stored

    def _own_stage(self, execution: Execution, stage: StageRun) -> StageRun:
        """A stage that another execution has completed: its log and its value are copied."""
        if execution.retry_of is None or not stage.attempts:
            return stage
        self.logs.copy(execution.retry_of, execution.id, stage.id)
        if isinstance(stage.value, StoredValue):
            return replace(stage, value=self.values.copy(stage.value, execution.id))
        return stage

    def note(self, execution: Execution) -> None:
        """Nothing of an execution's state is kept here."""

    async def committed(self, execution_id: str) -> None:
        """Nothing is waited for."""

    def departed(self, execution_id: str) -> None:
        """The execution has left the lists: its folder goes. Never waits."""
        self.remove_workdir(execution_id)
        if not self._has_history:
            self._readers.submit(self.remains.ownerless, [execution_id])

    def remove_workdir(self, execution_id: str) -> None:
        """Nothing of it runs here any more. Never waits."""
        self._readers.submit(shutil.rmtree, self.workdir(execution_id), ignore_errors=True)

    async def _finishing(self) -> None:
        while True:
            await asyncio.sleep(FINISH_SECONDS)
            await self._finish()

    async def _finish(self) -> None:
        if self.logs.unfinished:
            await asyncio.get_running_loop().run_in_executor(self.writers, self.logs.finish)

    def _begin(self) -> None:
        # Executions do not outlive the server, so neither do their folders.
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.rmtree(self._new, ignore_errors=True)
        self._work.mkdir(parents=True, exist_ok=True)
        self._new.mkdir(parents=True, exist_ok=True)

    def _content(self, value: StoredValue) -> JSON:
        data = self._whole(value)
        return loads(data) if value.is_json else data.decode("utf-8", "replace")

    def _whole(self, value: StoredValue) -> bytes:
        return b"".join(self.values.read(value))

    def _shown(self, value: StoredValue, characters: int) -> JSON:
        """JSON with its texts whole, unless it is very large; of text the beginning."""
        if value.is_json and value.size <= SHOWN_JSON_BYTES:
            data = self._whole(value)
            if data.count(b",") <= SHOWN_JSON_COMMAS:
                return loads(data)
        return self._beginning(value, characters)

    def _beginning(self, value: StoredValue, characters: int) -> str:
        read = b""
        for chunk in self.values.read(value):
            read += chunk
            if len(read) >= 4 * characters:
                break
        return read[: 4 * characters].decode("utf-8", "replace")[:characters]

    async def _in_thread(
        self, act: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, act, *arguments)


def _parts(execution: Execution) -> Iterator[object]:
    yield from (execution.input, execution.output)
    for stage in execution.stages:
        yield from (stage.log, stage.value)


def _takes_long(part: object) -> bool:
    """Whether a value or a log is in a file, or large enough to hold up others."""
    match part:
        case StageLog():
            return part.output_length > len(part.head)
        case str():
            return len(part) > SMALL_CHARACTERS
        case dict() | list():
            return _has_many_parts(part)
    return isinstance(part, StoredValue)


def _has_many_parts(value: JSON) -> bool:
    seen, waiting = 0, [value]
    while waiting and seen <= SMALL_PARTS:
        each = waiting.pop()
        if isinstance(each, dict | list):
            seen += len(each)
            waiting += each.values() if isinstance(each, dict) else each
        elif isinstance(each, str):
            seen += len(each) // CHARACTERS_OF_A_PART
    return seen > SMALL_PARTS
