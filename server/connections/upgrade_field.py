"""The field of a head in which a client wishes for another protocol.

A server may pass it over (RFC 9110, section 7.8), which the parser does not: it would stop before
the body. Java's HTTP client wishes for h2c with every first request.
"""

import re

HEAD_END = b"\r\n\r\n"
UNKNOWN = re.compile(rb"\r\nupgrade:(?!\s*websocket\s*\r)", re.IGNORECASE)
CUT = re.compile(
    rb"\r(?:\n(?:u(?:p(?:g(?:r(?:a(?:d(?:e(?::[^\r]*(?:\r\n?)?)?)?)?)?)?)?)?)?)?\Z", re.IGNORECASE
)
"""The field, or its beginning, where bytes end that are only a part of a head."""


def without_unknown_upgrade(data: bytes) -> bytes:
    """The head without a wish for a protocol that we do not speak."""
    if UNKNOWN.search(data) is None:
        return data
    head, end, body = data.partition(HEAD_END)
    return UNKNOWN.sub(b"\r\nx-upgrade:", head + end[:2]) + end[2:] + body


def known_bytes(part: bytes) -> int:
    """How many bytes of a part of a head are no part of such a field that goes on behind it."""
    cut = CUT.search(part)
    return cut.start() if cut else len(part)
