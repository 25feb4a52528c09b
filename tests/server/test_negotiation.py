"""Which media type an answer has."""

import pytest
from runcast.server.graphql.negotiation import (
    EVENTS,
    JSON,
    MANY_RESULTS,
    MULTIPART,
    ONE_RESULT,
    RESPONSE_JSON,
    preferred,
    wants_a_page,
)

URQL = f"{RESPONSE_JSON}, application/graphql+json, {JSON}, {EVENTS}, {MULTIPART}"
APOLLO = f'{MULTIPART};boundary="graphql";subscriptionSpec="1.0",{RESPONSE_JSON},{JSON};q=0.9'
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (f"{JSON}; charset=utf-8", JSON),
        (RESPONSE_JSON, RESPONSE_JSON),
        (f"{RESPONSE_JSON}, {JSON};q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.5, {JSON}", JSON),
        (f"{JSON}, {RESPONSE_JSON}", RESPONSE_JSON),
        (URQL, RESPONSE_JSON),
        (EVENTS, EVENTS),
        (f"{EVENTS}, {JSON};q=0.9", EVENTS),
        (f"{EVENTS};q=0.9, {JSON}", JSON),
        ("text/html", None),
        ("text/html;q=1, */*;q=0.1", JSON),
        (f"{JSON};q=0", None),
        ("nonsense", None),
        (f"nonsense, {JSON}", JSON),
        (f'a/b;x="a,b", {JSON}', JSON),
        (f"{JSON};q=0, */*", RESPONSE_JSON),
        (MULTIPART, MULTIPART),
        (APOLLO, RESPONSE_JSON),
    ],
)
def test_one_result(accept: str | None, expected: str | None) -> None:
    """JSON unless a stream is preferred: to be mentioned among others is no preference."""
    assert preferred(ONE_RESULT, accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (URQL, EVENTS),
        (APOLLO, MULTIPART),
        (EVENTS, EVENTS),
        (f"{EVENTS};q=0.5, {MULTIPART}", MULTIPART),
        (JSON, None),
    ],
)
def test_many_results(accept: str, expected: str | None) -> None:
    """A subscription is answered in the stream that the client prefers, events if it is all one."""
    assert preferred(MANY_RESULTS, accept) == expected


@pytest.mark.parametrize(
    ("accept", "page"),
    [(BROWSER, True), ("*/*", False), (None, False), (f"{JSON}, text/html;q=0.5", False)],
)
def test_a_page_is_for_browsers(accept: str | None, page: bool) -> None:
    """The playground comes only to who asks for HTML before anything else."""
    assert wants_a_page(accept) is page
