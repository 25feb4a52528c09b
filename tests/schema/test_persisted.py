"""Documents that are found by their digest."""

from hashlib import sha256

import pytest
from runcast.schema.document import RequestError
from runcast.schema.persisted import PersistedDocuments


def stored(documents: PersistedDocuments, text: str) -> str:
    digest = sha256(text.encode()).hexdigest()
    documents.check(text, digest)
    documents.store(text, digest)
    return digest


def test_those_nobody_asks_for_are_forgotten_first() -> None:
    """There is room for so many characters, and not for so many texts."""
    documents = PersistedDocuments(most_characters=100)
    first, second = stored(documents, "a" * 40), stored(documents, "b" * 40)
    assert documents.text(first) == "a" * 40
    third = stored(documents, "c" * 40)
    assert [documents.text(digest) for digest in (first, third)] == ["a" * 40, "c" * 40]
    with pytest.raises(RequestError, match="PersistedQueryNotFound"):
        documents.text(second)


def test_one_that_is_too_large_displaces_nothing() -> None:
    """It is to be sent each time."""
    documents = PersistedDocuments(most_characters=100)
    first, large = stored(documents, "a" * 40), stored(documents, "b" * 101)
    assert documents.text(first) == "a" * 40
    with pytest.raises(RequestError, match="PersistedQueryNotFound"):
        documents.text(large)
