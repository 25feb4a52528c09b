"""Which of the media types that fit a client prefers (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence

import mimeparse
from starlette.datastructures import Headers

RESPONSE_JSON = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed"
HTML = "text/html"

ONE_RESULT = (JSON, EVENTS, MULTIPART)
"""What an operation with one result can be answered in, best first."""
MANY_RESULTS = (EVENTS, MULTIPART)
"""What a subscription can be answered in, best first."""

MOST_CHARACTERS = 4096
"""Of an Accept header: each media range in it costs as much as a small answer."""


def accepted(headers: Headers) -> str | None:
    """What a client accepts; several lines of a list are one (RFC 9110, section 5.3)."""
    return ", ".join(headers.getlist("accept")) or None


def preferred(offers: Sequence[str], accept: str | None) -> str | None:
    """The offer with the highest quality, the first of several; None if no offer will do.

    `application/graphql-response+json` stands before `application/json` only for a client that
    names it: it changes the status of an answer with errors (GraphQL over HTTP, section 6.4).
    """
    accept = (accept or "").lower()
    if len(accept) > MOST_CHARACTERS:
        return None
    if not accept.strip():
        return offers[0]
    if JSON in offers:
        both = (RESPONSE_JSON, JSON) if RESPONSE_JSON in accept else (JSON, RESPONSE_JSON)
        offers = (*both, *(offer for offer in offers if offer != JSON))
    ranges = ",".join(filter(_is_media_range, accept.split(",")))
    # The library takes the last one of several.
    return mimeparse.best_match(offers[::-1], ranges) or None


def _is_media_range(text: str) -> bool:
    try:
        mimeparse.parse_media_range(text)
    except mimeparse.MimeTypeParseException:
        return False
    return True


def is_json(content_type: str) -> bool:
    """Whether a body's type is exactly `application/json`, in UTF-8 if it says in what."""
    try:
        kind, subtype, parameters = mimeparse.parse_mime_type(content_type.lower())
    except mimeparse.MimeTypeParseException:
        return False
    return f"{kind}/{subtype}" == JSON and parameters.get("charset", "utf-8") in ("utf-8", "utf8")


def wants_a_page(accept: str | None) -> bool:
    """Whether it is a browser that wants to show something."""
    return accept is not None and HTML in accept and preferred((JSON, HTML), accept) == HTML
