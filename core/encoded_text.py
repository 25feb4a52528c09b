"""Text as the bytes that are stored of it: nobody decodes or copies what nobody looks at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

MOST_OF_CHARACTER = 4
"""Bytes that a character takes in UTF-8, at most."""

Chunk: TypeAlias = bytes | memoryview


@dataclass(frozen=True, slots=True)
class EncodedText:
    """Valid UTF-8 in chunks, and its length in bytes and in characters."""

    chunks: tuple[Chunk, ...] = ()
    size: int = 0
    characters: int = 0

    @classmethod
    def of(cls, text: str) -> "EncodedText":
        """Half a surrogate pair becomes a question mark."""
        data = text.encode("utf-8", "replace")
        return cls((data,), len(data), len(text))

    @classmethod
    def of_ascii(cls, *chunks: Chunk) -> "EncodedText":
        size = sum(map(len, chunks))
        return cls(chunks, size, size)

    @classmethod
    def of_bytes(cls, data: bytes) -> "EncodedText":
        """What is not UTF-8 is replaced by U+FFFD."""
        if data.isascii():
            return cls.of_ascii(data)
        try:
            return cls((data,), len(data), len(data.decode()))
        except UnicodeDecodeError:
            return cls.of(data.decode("utf-8", "replace"))

    @classmethod
    def joined(cls, texts: "Iterable[EncodedText]") -> "EncodedText":
        texts = tuple(texts)
        return cls(
            tuple(chunk for text in texts for chunk in text.chunks),
            sum(text.size for text in texts),
            sum(text.characters for text in texts),
        )

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.data.decode()

    def parts(self, most_bytes: int) -> "list[EncodedText]":
        """The same in parts of about the same length, none empty or longer than `most_bytes`.

        That is room for a character at least: MOST_OF_CHARACTER.
        """
        if self.size <= most_bytes:
            return [self] if self.size else []
        # Room for what is left to the next part where a character would be cut.
        number = -(-self.size // (most_bytes - MOST_OF_CHARACTER + 1))
        cuts = [self.size * index // number for index in range(number + 1)]
        if self.size == self.characters:
            return [EncodedText.of_ascii(*self._between(*ends)) for ends in pairwise(cuts)]
        data = self.data
        begins = dict.fromkeys(_begin_of_character(data, cut) for cut in cuts[:-1])
        return [EncodedText.of_bytes(data[start:end]) for start, end in pairwise([*begins, None])]

    def _between(self, start: int, end: int) -> Iterator[Chunk]:
        for chunk in self.chunks:
            if start < len(chunk) and end > 0:
                yield memoryview(chunk)[max(0, start) : end]
            start, end = start - len(chunk), end - len(chunk)


def torn_bytes(data: bytes) -> int:
    """How many bytes at the end begin a character that may become whole with what follows."""
    for count, byte in enumerate(reversed(data[1 - MOST_OF_CHARACTER :]), start=1):
        if not _is_inside_character(byte):
            return count if count < _length_of_character(byte) else 0
    return 0


def _begin_of_character(data: bytes, place: int) -> int:
    while _is_inside_character(data[place]):
        place -= 1
    return place


def _is_inside_character(byte: int) -> bool:
    return byte & 0xC0 == 0x80


def _length_of_character(first: int) -> int:
    if first < 0xC0:
        return 1
    return 2 if first < 0xE0 else 3 if first < 0xF0 else 4
