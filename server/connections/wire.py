"""What stands between the event loop and uvicorn, and hands on what arrives in pieces."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...core.fairness import LoopBudget
from .open_connections import OpenConnections
from .reader_deadline import ReaderDeadline, untaken_by_the_system
from .refusal import FULL, refusal

READ_BYTES = 32 << 10
"""Read at once. So much at most waits in memory for each connection."""


class Reader(Protocol):
    """Reads what arrives, as uvicorn's protocols do, and says how much of it at a time."""

    @property
    def ready(self) -> bool:
        """Whether it can take the next piece now. Once it can, it calls `Wire.go_on`."""

    @property
    def idle(self) -> bool:
        """Whether nothing is due to the client: it may be hung up on."""

    def piece(self, data: bytes, at: int) -> int:
        """How many bytes from this place on are one step of its work: a millisecond at most."""

    def admitted(self, message_bytes: int) -> None:
        """The client may be here, and send messages of so many bytes."""

    def connection_made(self, transport: asyncio.Transport, /) -> None: ...

    def connection_lost(self, exc: Exception | None, /) -> None: ...

    def data_received(self, data: bytes, /) -> None: ...

    def eof_received(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Shared:
    """What the connections of an event loop have in common; `buffer` is where bytes arrive."""

    budget: LoopBudget
    connections: OpenConnections
    deadline: ReaderDeadline = field(default_factory=ReaderDeadline)
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_BYTES)))


class Wire(asyncio.BufferedProtocol, asyncio.Transport):
    """One connection. The loop sees a protocol in it, and the protocol that reads a transport.

    What arrives is handed on as long as the reader is ready, the client takes what is sent to it,
    and the round of the loop has time, which all connections share. Nothing more is read from the
    network while something waits.
    """

    def __init__(self, reader: Reader, shared: Shared) -> None:
        super().__init__()
        self._reader = reader
        self._budget = shared.budget
        self._others = shared.connections
        self._deadline = shared.deadline
        self._buffer = shared.buffer
        self.written = 0
        """How many bytes were sent to the client."""
        self._is_lost = False
        self._entered = False
        self._waiting = b""
        self._at = 0
        """How much of what waits has been handed on."""
        self._wanted = True
        self.takes_more = True
        """Whether the client takes what is sent to it, and nobody has begun to close it."""
        self._handing_on = False
        self._reading = True

    @property
    def idle(self) -> bool:
        """Whether nothing is due to the client."""
        return self._reader.idle

    @property
    def untaken(self) -> int:
        """How many bytes wait for the client, here or in the system."""
        descriptor = self._transport.get_extra_info("socket").fileno()
        return self.get_write_buffer_size() + untaken_by_the_system(descriptor)

    @property
    def taken(self) -> int:
        """How many bytes the client has taken; its system, if not the client itself."""
        return self.written - self.untaken

    def admit(self, message_bytes: int) -> None:
        """The client has shown that it may be here."""
        if self._others.admit(self):
            self._reader.admitted(message_bytes)

    def go_on(self) -> None:
        """Hands on what waits, now or when it is this connection's turn."""
        if self._handing_on or not self._waiting:
            return
        self._handing_on = True
        if self._budget.is_free:
            self._hand_on()
        else:
            self._budget.call(self._hand_on)

    def _hand_on(self) -> None:
        while self._can_go_on():
            self._hand_on_a_piece()
            if not self._waiting:
                break
            if self._can_go_on() and not self._budget.is_free:
                self._budget.call(self._hand_on)
                return
        self._handing_on = False
        if not self._waiting and not self._reading:
            self._read(True)

    def _can_go_on(self) -> bool:
        is_open = self._wanted and self.takes_more and not self._transport.is_closing()
        return is_open and self._reader.ready

    def _hand_on_a_piece(self) -> None:
        begin, end = self._at, self._at + self._reader.piece(self._waiting, self._at)
        piece = self._waiting[begin:end]
        if end < len(self._waiting):
            self._at = end
        else:
            self._waiting, self._at = b"", 0
        try:
            self._reader.data_received(piece)
        except BaseException:
            self._transport.abort()
            raise

    def _read(self, on: bool) -> None:
        if self._transport.is_closing():
            return
        self._reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # What the loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._entered = self._others.enter(self)
        if self._entered:
            self._reader.connection_made(self)
        else:
            transport.write(refusal(FULL))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost, self.takes_more = True, False
        self._others.leave(self)
        self._deadline.forget(self)
        self._waiting, self._at = b"", 0
        if self._entered:
            self._reader.connection_lost(exc)
        # Each knows the other: what they hold would stay until the collector comes.
        del self._reader

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        arrived = bytes(self._buffer[:nbytes])
        # Something waits already if the system has more to say although nothing is read from it.
        self._waiting = self._waiting[self._at :] + arrived if self._waiting else arrived
        self._at = 0
        self.go_on()
        if self._waiting and self._reading:
            self._read(False)

    def eof_received(self) -> None:
        self._reader.eof_received()

    def pause_writing(self) -> None:
        self.takes_more = False
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        self.takes_more = not self._transport.is_closing()
        self._reader.resume_writing()
        self.go_on()

    # What the reader calls.

    def pause_reading(self) -> None:
        self._wanted = False

    def resume_reading(self) -> None:
        self._wanted = True
        self.go_on()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another reader reads on from here: a request has become a WebSocket."""
        self._reader = protocol  # type: ignore[assignment]
        self._wanted = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_lost:
            return
        self._deadline.watch(self)
        self.written += len(data)
        self._transport.write(data)

    def close(self) -> None:
        self.takes_more = False
        self._transport.close()

    def abort(self) -> None:
        self.takes_more = False
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()
