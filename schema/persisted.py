"""Persisted documents: a client sends the digest of a text that the server has seen before.

As Apollo's clients do it: https://www.apollographql.com/docs/apollo-server/performance/apq. First
they send the digest alone; if nobody has sent the text yet, they send both.
"""

from hashlib import sha256

from cachetools import LRUCache
from graphql import GraphQLError

from .document import RequestError

CACHED_CHARACTERS = 4 << 20
"""Of all texts together; those that nobody has asked for the longest are forgotten."""


class PersistedDocuments:
    """The texts of valid documents by the SHA-256 of their UTF-8, as 64 hexadecimal digits."""

    def __init__(self, most_characters: int = CACHED_CHARACTERS) -> None:
        self._texts: LRUCache[str, str] = LRUCache(most_characters, getsizeof=len)

    def text(self, digest: str) -> str:
        """The text with this digest.

        Raises:
            RequestError: it is not there; the client is to send it.
        """
        text = self._texts.get(digest)
        if text is None:
            raise _refused("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
        return text

    def check(self, text: str, digest: str) -> None:
        """Makes sure that nobody stores a text in the place of another.

        Raises:
            RequestError: it is the digest of another text.
        """
        if sha256(text.encode(errors="surrogatepass")).hexdigest() != digest:
            raise _refused("The sha256Hash is not that of the query", "BAD_USER_INPUT")

    def store(self, text: str, digest: str) -> None:
        """Has `text` found by its digest, which was checked, from now on."""
        if len(text) <= self._texts.maxsize:
            self._texts[digest] = text


def _refused(message: str, code: str) -> RequestError:
    return RequestError(GraphQLError(message, extensions={"code": code}))
