"""The lines of a prompt, with what must be left as it is: code, and input."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .prompt_patterns import LEAD_IN

LONG = 40_000
KEPT = 30_000
"""A prompt of more than LONG characters is read up to KEPT; what follows is taken for input.

The two differ so that the optimized prompt, which is a little longer, is not cut once more.
"""
LINE_WEIGHT = 10_000
"""What the longest line counts: one line is never cut."""
OPAQUE_WEIGHT = 50

HEADING = re.compile(r"#{1,6}[ \t]{1,8}(\S.*)$")
OPAQUE = re.compile(
    r" {0,3}(?:(?P<fence>`{3,40}|~{3,40})[^`\n]*"
    r"|(?P<quotes>\"\"\")[ \t]*|<(?P<tag>input(?:-\d{1,6})?)>[ \t]*)$",
    re.MULTILINE,
)
CLOSING_TAG = re.compile(r"</input(?:-(\d{1,6}))?>")


@dataclass(frozen=True, slots=True)
class Block:
    """A line, or lines that are kept together. `kind`: line, blank, heading or opaque."""

    kind: str
    text: str
    start: int = 0
    end: int = 0
    """Where it stands in the whole text, its line break included."""


def read(text: str) -> list[Block]:
    """The blocks of a prompt. The end of a long one, or what it announces as input, is opaque."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    blocks: list[Block] = []
    weight, cut = 0, 0
    for block in blocks_of(text):
        blocks.append(block)
        if _announces_input(block, blocks) and _is_bare(text[block.end :]):
            return [*blocks, Block("blank", ""), _material(text[block.end :])]
        weight += _weight(block)
        cut = cut or (len(blocks) if weight > KEPT else 0)
        if weight > LONG:
            return [*blocks[:cut], *_rest(text[blocks[cut - 1].end :])]
    return blocks


def blocks_of(text: str) -> Iterator[Block]:
    """The lines of a text; code fences and marked input are one block each, as they are."""
    start = 0
    while start < len(text):
        block = _opaque(text, start) or _line(text, start)
        yield block
        start = block.end


def plain(text: str) -> str:
    """The text without its code and its input, cut to LONG."""
    lines = (block.text for block in blocks_of(text) if block.kind != "opaque")
    return "\n".join(lines)[:LONG]


def _weight(block: Block) -> int:
    return OPAQUE_WEIGHT if block.kind == "opaque" else min(len(block.text), LINE_WEIGHT) + 1


def _kind(line: str) -> str:
    if not line.strip():
        return "blank"
    return "heading" if HEADING.match(line) else "line"


def _line(text: str, start: int) -> Block:
    end = text.find("\n", start)
    line = text[start:] if end < 0 else text[start:end]
    return Block(_kind(line), line, start, start + len(line) + 1)


def _opaque(text: str, start: int) -> Block | None:
    """The block that opens here. One that nobody closes is closed, or it would swallow the rest."""
    opening = OPAQUE.match(text, start)
    if opening is None:
        return None
    mark, more = _closing(opening)
    last = re.compile(rf"^[ \t]*{mark}{more}[ \t]*$", re.MULTILINE).search(text, opening.end())
    if last is None:
        return Block("opaque", f"{text[start:]}\n{mark}", start, len(text))
    return Block("opaque", text[start : last.end()], start, last.end() + 1)


def _closing(opening: re.Match[str]) -> tuple[str, str]:
    """What closes a block, and the pattern of what may follow it."""
    if fence := opening["fence"]:
        return fence, f"{fence[0]}*"
    return opening["quotes"] or f"</{opening['tag']}>", ""


def _announces_input(block: Block, blocks: list[Block]) -> bool:
    """Whether it is a line such as "Summarise this article:", and no heading came before it."""
    if block.kind != "line" or not LEAD_IN.search(block.text[-400:]):
        return False
    return all(each.kind != "heading" for each in blocks)


def _is_bare(rest: str) -> bool:
    """Whether there is input that has no marks around it."""
    rest = rest.lstrip("\n")
    return bool(rest.strip()) and not OPAQUE.match(rest)


def _rest(text: str) -> list[Block]:
    return [_material(text)] if text.strip() else []


def _material(text: str) -> Block:
    """The text between marks that are not in it."""
    numbers = [int(number or 1) for number in CLOSING_TAG.findall(text)]
    tag = f"input-{max(numbers) + 1}" if numbers else "input"
    return Block("opaque", "<{0}>\n{1}\n</{0}>".format(tag, text.strip("\n")))
