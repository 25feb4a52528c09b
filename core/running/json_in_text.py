"""Which part of a text is its JSON: candidates, the best one first, found in linear time."""

import re
from collections.abc import Iterator, Sequence

from ..text import trimmed

FENCE = "```"
BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]')
"""The brackets of a line, and its strings: what is in them is none. No string has two lines."""


def in_answer(text: str) -> Iterator[str]:
    """In what a language model says: the first code block, then the whole text.

    Of either the widest object or list, if there is one (section 5.3 of the REST contract).
    """
    # A fence may also be part of a text within the JSON: then the block is no JSON, the whole is.
    _, opened, rest = text.partition(FENCE)
    block, closed, _ = rest.partition(FENCE)
    if opened and closed:
        yield _widest(block.removeprefix("json"))
    yield _widest(text)


def in_printout(text: str) -> Iterator[str]:
    """In what a program or a function says: the whole, the last lines, or the last code block.

    What comes before is its log, and a bracket in there means nothing.
    """
    text = trimmed(text)
    yield text
    lines = text.split("\n")
    if start := _start_of_last_value(lines):
        yield "\n".join(lines[start:])
    if block := _last_block(lines):
        yield "\n".join(lines[block])


def _widest(text: str) -> str:
    """From the first bracket that is ever closed to the last one that closes its kind."""
    spans = ((text.find(left), text.rfind(right) + 1) for left, right in ("{}", "[]"))
    start, end = min((span for span in spans if 0 <= span[0] < span[1]), default=(0, len(text)))
    return trimmed(text[start:end])


def _start_of_last_value(lines: Sequence[str]) -> int | None:
    """The line from which on all brackets are paired: the only one with which JSON can begin."""
    unopened = 0
    for index in reversed(range(len(lines))):
        closing, opening = _unpaired(lines[index])
        if opening > unopened:
            return None
        unopened += closing - opening
        if unopened == 0:
            return index
    return None


def _unpaired(line: str) -> tuple[int, int]:
    """How many closing brackets of a line have no partner in it, and how many opening ones."""
    closing = opening = 0
    for token in BRACKETS.findall(line):
        if token in "[{":
            opening += 1
        elif token in "]}" and opening:
            opening -= 1
        elif token in "]}":
            closing += 1
    return closing, opening


def _last_block(lines: Sequence[str]) -> slice | None:
    """The lines between the last two that are fences."""
    block, opened = None, None
    for index, line in enumerate(lines):
        if opened is None and line.lstrip().startswith(FENCE):
            opened = index
        elif opened is not None and line.strip() == FENCE:
            block, opened = slice(opened + 1, index), None
    return block
