"""Values as GraphQL spells them."""

import time
from collections.abc import Iterator

import pytest
from graphql import GraphQLError
from runcast.schema.scalars import SCALARS, DateTime

MOMENT = SCALARS[DateTime]


@pytest.fixture
def new_york() -> Iterator[None]:
    """The machine is somewhere else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (7, "1970-01-01T00:00:00.007Z"),
        (1_800_000_000_999, "2027-01-15T08:00:00.999Z"),
        (1_800_000_001_000, "2027-01-15T08:00:01.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_moment_there_and_back(moment: int, text: str) -> None:
    """To the millisecond, and always in UTC."""
    assert MOMENT.serialize is not None and MOMENT.parse_value is not None
    assert MOMENT.serialize(moment) == text
    assert MOMENT.parse_value(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-15T08:00:00Z",
        "2027-01-15T08:00:00",
        "2027-01-15 08:00",
        "2027-01-15T09:00:00+01:00",
        "2027-01-15T08:00:00.0004Z",
        "2027-01-15T07:59:59.9996Z",
    ],
)
@pytest.mark.usefixtures("new_york")
def test_other_spellings_of_a_moment(text: str) -> None:
    """Without an offset it is in UTC, wherever the server is; it is rounded to the millisecond."""
    assert MOMENT.parse_value is not None
    assert MOMENT.parse_value(text) == 1_800_000_000_000


@pytest.mark.parametrize("value", ["", "yesterday", "2027-13-01", 5, None, True, ["2027-01-15"]])
def test_what_is_no_moment(value: object) -> None:
    """It is refused with an example."""
    assert MOMENT.parse_value is not None
    with pytest.raises(GraphQLError, match="is no ISO 8601 time, as 2026-01-31T"):
        MOMENT.parse_value(value)
