"""What an operation has given, as a map and as bytes."""

from graphql import GraphQLError
from runcast.schema.result import Result


def test_bytes_of_a_map() -> None:
    """They are made once: the same are sent to everybody."""
    result = Result({"a": [1, None]})
    assert result.encoded == b'{"data":{"a":[1,null]}}'
    assert result.encoded is result.encoded


def test_map_of_bytes() -> None:
    """Who looks into bytes finds what they say, and the bytes stay as they are."""
    encoded = b'{"data": {"a": [1, null]}}'
    result = Result.of_bytes(encoded)
    assert result.encoded is encoded
    assert result.formatted == {"data": {"a": [1, None]}} == {"data": result.data}


def test_errors_stand_first() -> None:
    """A client that reads as it comes knows that something is missing; the data may be null."""
    result = Result(None, [GraphQLError("no")])
    assert result.encoded == b'{"errors":[{"message":"no"}],"data":null}'
    assert result.data is None
