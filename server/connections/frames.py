"""The frames of a WebSocket: https://www.rfc-editor.org/rfc/rfc6455#section-5.2."""

PLAIN_HEAD_BYTES = 2
MASK_BYTES = 4
MASKED = 0x80
LENGTH = 0x7F
LENGTH_BYTES = {126: 2, 127: 8}
"""How many more bytes the length has, where it does not fit into the first two."""

TEXT = 0x81
"""The first byte of a text that is whole in one frame."""


def text_frame(text: bytes) -> bytes:
    """A text in UTF-8 as a server sends it: not masked, and not compressed."""
    size = len(text)
    if size < 126:
        return b"%c%c%b" % (TEXT, size, text)
    if size < 1 << 16:
        return b"%c\x7e%b%b" % (TEXT, size.to_bytes(2, "big"), text)
    return b"%c\x7f%b%b" % (TEXT, size.to_bytes(8, "big"), text)


class Frames:
    """Follows a stream of bytes from frame to frame, however it is cut into pieces.

    What is in a frame, and whether it is allowed, is nothing to it.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._payload = 0

    @property
    def between(self) -> bool:
        """Whether a frame has just ended, or none has come yet."""
        return not (self._head or self._payload)

    def piece(self, data: bytes, at: int) -> int:
        """How many bytes, from this place on, are of one frame; they are passed."""
        begin = at
        while not self._payload and at < len(data):
            missing = _head_bytes(self._head) - len(self._head)
            self._head += data[at : at + missing]
            at = min(at + missing, len(data))
            if len(self._head) == _head_bytes(self._head):
                self._payload = _payload_bytes(self._head)
                self._head.clear()
                break
        size = min(self._payload, len(data) - at)
        self._payload -= size
        return at + size - begin


def _head_bytes(head: bytearray) -> int:
    """How long a head is of which this much has come, as far as it can be known."""
    if len(head) < PLAIN_HEAD_BYTES:
        return PLAIN_HEAD_BYTES
    mask = MASK_BYTES if head[1] & MASKED else 0
    return PLAIN_HEAD_BYTES + LENGTH_BYTES.get(head[1] & LENGTH, 0) + mask


def _payload_bytes(head: bytearray) -> int:
    length = head[1] & LENGTH
    if length not in LENGTH_BYTES:
        return length
    end = PLAIN_HEAD_BYTES + LENGTH_BYTES[length]
    return int.from_bytes(head[PLAIN_HEAD_BYTES:end], "big")
