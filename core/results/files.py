"""Everything that the stages of executions say and make: logs, values, and their own files."""

import asyncio
import json
import logging
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple

from ..execution.log import LogStream
from ..execution.model import Execution, StageRun
from ..execution.stage_log import StageLog
from ..execution.stored import StoredValue
from ..json_value import JSON
from .blobs import FolderBlobs
from .logs import LogSlice, LogStore, LogWriter
from .values import ValueSpool, ValueStore

logger = logging.getLogger("runcast.files")

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

LOG_MAX_BYTES = 64 << 20
WRITERS, READERS = 4, 4
"""Threads. Those who read do not keep those waiting who write."""
CUT_OFF = "the server went away here\n"


class ExecutionFiles:
    """Logs and values live as long as the history's record of their execution, its folder for as
    long as it is in the lists. An async context manager.

    What is not awaited waits for a disk, and is called in `writers`.
    """

    def __init__(self, folder: Path, *, log_max: int) -> None:
        blobs = FolderBlobs(folder)
        self.logs = LogStore(blobs, max_bytes=log_max)
        self.values = ValueStore(blobs)
        self.writers = ThreadPoolExecutor(WRITERS, "runcast-files-writer")
        self._readers = ThreadPoolExecutor(READERS, "runcast-files-reader")
        self._work = folder / "work"
        self._new = folder / "values" / "new"

    async def __aenter__(self) -> Self:
        await self._in_thread(self._begin)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.writers.shutdown(wait=False)
        self._readers.shutdown(wait=False)

    @property
    def problem(self) -> str | None:
        """Why something cannot be written at the moment; None while all is well."""
        return self.logs.problem

    # What running stages need: see `running.stores.Stores`

    def open_log(self, execution_id: str, stage_id: str, attempt: int) -> LogWriter:
        return self.logs.open(execution_id, stage_id, attempt)

    def spool(self, execution_id: str, stage_id: str, attempt: int, limit: int) -> ValueSpool:
        return self.values.spool(execution_id, stage_id, attempt, limit)

    def new_file(self) -> Path:
        return self._new / uuid.uuid4().hex

    def adopt(
        self, execution_id: str, stage_id: str, attempt: int, file: Path, sha256: str
    ) -> StoredValue:
        return self.values.adopt(execution_id, stage_id, attempt, file, sha256)

    def path(self, value: StoredValue) -> Path:
        return self.values.path(value)

    def read(self, value: StoredValue) -> Iterator[bytes]:
        return self.values.read(value)

    def workdir(self, execution_id: str) -> Path:
        return self._work / execution_id

    # What readers need

    async def output(
        self, execution_id: str, stage_id: str, attempt: int, offset: int, limit: int
    ) -> tuple[str, bool]:
        """A part of stdout, and whether some of stdout is not stored."""
        found = await self._in_thread(
            self.logs.read_output, execution_id, stage_id, attempt, offset, limit
        )
        return found.text, found.left_out > 0

    async def log(
        self,
        execution_id: str,
        stage_id: str,
        attempt: int,
        offset: int,
        limit: int,
        streams: Collection[LogStream] | None,
    ) -> LogSlice:
        return await self._in_thread(
            self.logs.read, execution_id, stage_id, attempt, offset, limit, streams
        )

    async def content(self, value: StoredValue) -> JSON:
        """A value as text or JSON."""
        return await self._in_thread(self._content, value)

    async def beginning(self, value: StoredValue, characters: int) -> str:
        """The first characters of a value, as text."""
        return await self._in_thread(self._beginning, value, characters)

    async def shown(self, execution: Execution, characters: int) -> Execution:
        """The same as it can be shown: with the beginning of what each stage has said and made.

        Each stage's log has so many characters of stdout as its `head`, and a value in a file is
        its beginning as text; the input is whole.
        """
        if not any(map(_is_elsewhere, _parts(execution))):
            return execution
        return await self._in_thread(self.with_texts, execution, characters)

    def with_texts(self, execution: Execution, characters: int) -> Execution:
        """As `shown`; waits for the disk."""
        stages = tuple(self._with_text(execution.id, one, characters) for one in execution.stages)
        output, input = execution.output, execution.input
        if isinstance(output, StoredValue):
            output = self._beginning(output, characters)
        if isinstance(input, StoredValue):
            input = str(self._content(input))
        return replace(execution, stages=stages, output=output, input=input)

    def _with_text(self, execution_id: str, stage: StageRun, characters: int) -> StageRun:
        log, value = stage.log, stage.value
        head = log.output(0, characters)
        if head is None:
            head = self.logs.read_output(execution_id, stage.id, stage.attempt, 0, characters).text
        if isinstance(value, StoredValue):
            value = self._beginning(value, characters)
        return replace(stage, log=replace(log, head=head), value=value)

    # Life and death

    def note(self, execution: Execution) -> None:
        """Nothing of an execution's state is kept here."""

    async def committed(self, execution_id: str) -> None:
        """Nothing is waited for."""

    def departed(self, execution_id: str) -> None:
        """The execution has left the lists: its folder goes. Never waits."""
        self._readers.submit(shutil.rmtree, self.workdir(execution_id), ignore_errors=True)

    def forgotten(self, execution_ids: Collection[str]) -> None:
        """The history knows the executions no more: their logs and values go. In a thread."""
        for execution_id in execution_ids:
            self.logs.remove(execution_id)
            self.values.remove(execution_id)

    def interrupted(self, execution: Execution) -> None:
        """The server went away while the execution ran: its log says that it ends there."""
        for stage in execution.stages:
            if stage.attempts and stage.attempts[-1].ended_at is None:
                now = execution.ended_at or execution.started_at
                self.logs.recover(execution.id, stage.id, stage.attempt, CUT_OFF, now)

    def _begin(self) -> None:
        # Executions do not outlive the server, so neither do their folders.
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.rmtree(self._new, ignore_errors=True)
        self._work.mkdir(parents=True, exist_ok=True)
        self._new.mkdir(parents=True, exist_ok=True)

    def _content(self, value: StoredValue) -> JSON:
        data = b"".join(self.values.read(value))
        return json.loads(data) if value.is_json else data.decode("utf-8", "replace")

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


def _is_elsewhere(part: object) -> bool:
    """Whether a value or a log is in a file."""
    if isinstance(part, StageLog):
        return part.output_length > len(part.head)
    return isinstance(part, StoredValue)
