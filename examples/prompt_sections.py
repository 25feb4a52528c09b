"""A prompt as sections: taken apart, put together, and no word of it lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from .prompt_blocks import LONG, Block, read
from .prompt_language import language_of
from .prompt_patterns import MODAL, SENTENCE_STARTS

SECTIONS: Mapping[str, str] = {
    "Role": "role persona character",
    "Task": "task goal objective request instruction instructions question assignment",
    "Context": "context background situation scenario",
    "Input": "input data source text article code material document",
    "Examples": "example examples sample samples",
    "Requirements": "requirements requirement constraints rules guidelines criteria notes",
    "Output format": "output format response deliverable deliverables",
}
"""The sections in their order, and the words by which a heading is recognised as one of them."""

ORDER = tuple(SECTIONS)
NAMES: Mapping[str, str] = {
    word: name for name, words in SECTIONS.items() for word in words.split()
} | {"output format": "Output format", "response format": "Output format"}

LIST_ITEM = re.compile(r"[ \t]{0,12}(?:[-*+•]|\d{1,3}[.)])[ \t]")
SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bvs\.)(?<!e\.g\.)(?<!i\.e\.)"
    r"[ \t]{1,8}(?=[\"'(]?[A-Z])"
)


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is one of ORDER, or "" for another; `heading` is its line as written, or ""."""

    name: str
    heading: str
    body: str

    @property
    def text(self) -> str:
        """What it says: the body, and the heading if that is more than a name."""
        said = "" if _name(self.heading) else self.heading.lstrip("# \t")
        return "\n".join(filter(None, (said, self.body))).strip()


Sections: TypeAlias = tuple[Section, ...]


def sections_of(text: str) -> Sections:
    """The sections of a prompt: those that it has, or those that its sentences make.

    Only English sentences are sorted; in other languages they stay together as the task.
    """
    blocks = read(text)
    if any(block.kind == "heading" for block in blocks):
        return _headed(blocks)
    lines = "\n".join(block.text for block in blocks if block.kind == "line")
    sorted_ones = _sorted(blocks) if language_of(lines) == "English" else ()
    return sorted_ones or _together(blocks)


def render(sections: Sections) -> str:
    """The prompt as text; `sections_of` makes the same sections of it."""
    return "\n\n".join("\n".join(filter(None, (each.heading, each.body))) for each in sections)


def body_of(sections: Sections, name: str) -> str:
    """What the sections of that name say; "" if there is none."""
    return "\n".join(each.text for each in sections if each.name == name).strip()


def with_line(sections: Sections, name: str, line: str) -> Sections:
    """One more item in a section, which is made if it is not there."""
    for index, section in enumerate(sections):
        if section.name == name:
            changed = replace(section, body=_appended(section.body, f"- {line}"))
            return (*sections[:index], changed, *sections[index + 1 :])
    return with_body(sections, name, f"- {line}")


def with_body(sections: Sections, name: str, body: str) -> Sections:
    """The body for a section that is empty, or for a new one at its place in ORDER."""
    for index, section in enumerate(sections):
        if section.name == name and not section.text:
            return (*sections[:index], replace(section, body=body), *sections[index + 1 :])
    lower = [i for i, rank in enumerate(_ranks(sections)) if rank < ORDER.index(name)]
    place = lower[-1] + 1 if lower else 0
    return (*sections[:place], _fresh(name, body), *sections[place:])


def _fresh(name: str, body: str) -> Section:
    """A section with our own heading."""
    return Section(name, f"## {name}", body)


def _ranks(sections: Sections) -> list[int]:
    """Where each section is in ORDER; one of another name belongs to the one before it."""
    ranks = [-1]
    for section in sections:
        ranks.append(ORDER.index(section.name) if section.name else ranks[-1])
    return ranks[1:]


def _headed(blocks: list[Block]) -> Sections:
    """The sections that the headings make. One of them is the task, if any can be."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for block in blocks:
        if block.kind == "heading":
            parts.append((block.text, []))
        else:
            parts[-1][1].append(block.text)
    sections = [
        Section(_name(heading), heading, "\n".join(lines).strip("\n"))
        for heading, lines in parts
        if heading or "".join(lines).strip()
    ]
    return _with_task(sections)


def _with_task(sections: list[Section]) -> Sections:
    if not any(section.name == "Task" for section in sections):
        for index, section in enumerate(sections):
            if not section.name:
                heading = section.heading or "## Task"
                sections[index] = replace(section, name="Task", heading=heading)
                break
    return tuple(sections)


def _name(heading: str) -> str:
    title = heading.strip("# \t*:_").lower()
    return NAMES.get(title) or NAMES.get(title.removeprefix("your ").removeprefix("the "), "")


def _together(blocks: list[Block]) -> Sections:
    bodies: dict[str, list[str]] = {"Task": [], "Input": []}
    for block in blocks:
        bodies["Input" if block.kind == "opaque" else "Task"].append(block.text)
    return tuple(
        _fresh(name, "\n".join(lines).strip("\n"))
        for name, lines in bodies.items()
        if "".join(lines).strip()
    )


def _sorted(blocks: list[Block]) -> Sections:
    """Each sentence where it belongs; nothing if none of them is a task."""
    bodies: dict[str, str] = {}
    name, last, glue = "", "", ""
    for block in blocks:
        for piece in _sentences(block):
            name = _section_of(block, piece, name, "Task" in bodies)
            near = glue if name == last else "\n"
            bodies[name] = _joined(bodies.get(name, ""), _item(name, piece), near)
            last, glue = name, " "
        glue = "\n\n" if block.kind == "blank" else "\n"
    if "Task" not in bodies:
        return ()
    return tuple(_fresh(each, bodies[each]) for each in ORDER if each in bodies)


def _sentences(block: Block) -> list[str]:
    """Indented lines, lists and whatever looks like code are never taken apart."""
    if block.kind == "blank":
        return []
    listed = LIST_ITEM.match(block.text) or block.text.startswith((" ", "\t", "`", "~"))
    if block.kind == "opaque" or listed or len(block.text) > LONG:
        return [block.text]
    return [piece for piece in SENTENCE_END.split(block.text) if piece.strip()]


def _section_of(block: Block, piece: str, current: str, asked: bool) -> str:
    """The section of a sentence; `asked` tells whether the task has been met."""
    if block.kind == "opaque":
        return "Examples" if current == "Examples" else "Input"
    if current and (piece[:1].isspace() or LIST_ITEM.match(piece)):
        return current
    for name, pattern in SENTENCE_STARTS.values():
        if pattern.match(piece):
            return name
    if MODAL.search(piece[:400]):
        return "Requirements"
    return (current if asked else "") or "Context"


def _item(name: str, piece: str) -> str:
    listed = LIST_ITEM.match(piece) or piece[:1].isspace() or piece.rstrip().endswith(":")
    opaque = "\n" in piece
    return piece if name != "Requirements" or listed or opaque else f"- {piece}"


def _joined(body: str, piece: str, glue: str) -> str:
    if not body:
        return piece
    return body + ("\n" if piece.startswith("- ") and glue == " " else glue) + piece


def _appended(body: str, line: str) -> str:
    if not body:
        return line
    last = body.rsplit("\n", 1)[-1]
    return f"{body}\n{line}" if LIST_ITEM.match(last) else f"{body}\n\n{line}"
