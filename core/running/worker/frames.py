"""Messages between the server and a worker process: a head in JSON, and bytes behind it.

Eight bytes come first: the lengths of both, big-endian. The bytes are a text or a value; they are
not part of the head so that nobody has to escape or parse them on the way.
"""

import struct
from collections.abc import Iterator, Mapping
from json import dumps, loads
from typing import Any, TypeAlias

MAX_MESSAGE_BYTES = 80 << 20

Head: TypeAlias = dict[str, Any]
Message: TypeAlias = tuple[Head, bytes]

_LENGTHS = struct.Struct(">II")


def packed(head: Mapping[str, object], body: bytes = b"") -> bytes:
    """A message as it travels."""
    encoded = dumps(head).encode()
    return _LENGTHS.pack(len(encoded), len(body)) + encoded + body


class Unpacker:
    """Finds the messages in what arrives piece by piece."""

    def __init__(self) -> None:
        self._arrived = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with this piece.

        Raises:
            ValueError: this is no message, or it has more than MAX_MESSAGE_BYTES.
        """
        self._arrived += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        if len(self._arrived) < _LENGTHS.size:
            return None
        head_size, body_size = _LENGTHS.unpack_from(self._arrived)
        if head_size + body_size > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {head_size + body_size} bytes")
        body_at = _LENGTHS.size + head_size
        end = body_at + body_size
        if len(self._arrived) < end:
            return None
        with memoryview(self._arrived) as arrived:
            head, body = bytes(arrived[_LENGTHS.size : body_at]), bytes(arrived[body_at:end])
        del self._arrived[:end]
        return loads(head), body
