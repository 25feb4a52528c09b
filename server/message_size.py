"""How large a body or a message may be: the longest input fits in, however JSON spells it."""

from ..core.live.request import MAX_INPUT_BYTES

LONGEST_ESCAPE = len(r"\u0061")
MARGIN = 128 << 10
"""For what stands around the input, such as a GraphQL document."""

MAX_BYTES = LONGEST_ESCAPE * MAX_INPUT_BYTES + MARGIN
MAX_UNESCAPED_BYTES = MAX_INPUT_BYTES + MARGIN
STRANGER_BYTES = 1 << 16
"""Of a client who has not shown yet that it may be here: a token has room in it."""
LIMIT = rf"{MAX_UNESCAPED_BYTES} bytes (1.125 MiB), where an escape such as \u00e9 counts as one"


class MessageSize:
    """The size of what comes in pieces.

    It is measured twice: in bytes, of which so many cost memory, and with each escape as one byte,
    of which so many cost time: those that are no escapes may be many small values.
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._unescaped = 0

    def fits(self, piece: bytes) -> bool:
        """Whether all that has come is small enough, this piece included."""
        self._bytes += len(piece)
        self._unescaped += unescaped_size(piece)
        return self._bytes <= MAX_BYTES and self._unescaped <= MAX_UNESCAPED_BYTES


def unescaped_size(json: bytes) -> int:
    """The bytes of a piece of JSON, if each escape were one byte.

    An escape that is cut in two by the end of a piece counts as it stands.
    """
    others = json.replace(rb"\\", b"")
    pairs = (len(json) - len(others)) // 2
    return len(others) - others.count(b"\\") - 4 * others.count(rb"\u") + pairs
