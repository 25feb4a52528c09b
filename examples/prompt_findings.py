"""What a prompt says about what it wants, read by rules."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..core.json_value import JSON
from .prompt_blocks import LONG, plain
from .prompt_kinds import DECISIVE, KINDS, OWN_LINES, SIGNS
from .prompt_language import language_of
from .prompt_patterns import (
    ASPECTS,
    AVOID,
    CONTRADICTIONS,
    EXAMPLE,
    FORMAT_PATTERNS,
    LABEL,
    MENTION,
    MUST,
    PLACEHOLDER,
    REFERENCE,
)
from .prompt_sections import SENTENCE_END, Sections, body_of
from .prompt_words import QUESTIONS, SETTLED_BY, VAGUE, VERBS

WORD = re.compile(r"[^\W\d_][\w;'’-]{0,40}")
CLARIFIED = re.compile(r"“([\w-]{1,20})” means:")
SINGULAR = re.compile(r"(?:\d\d|[02-9])[ -](?:word|page|line|sentence|paragraph|slide|minute)$")
SHOWN = 120
RULES_SHOWN = 10
RESTATED = ("audience", "tone", "length", "target language", "number of ideas")
"""What is said in passing in a task of any kind and deserves a line of its own."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in a prompt."""

    kind: str
    language: str
    verbs: tuple[str, ...]
    aspects: Mapping[str, str]
    """Audience, tone, length and so on, as they are given."""
    labelled: tuple[str, ...]
    """The aspects that have a line of their own, filled in or not."""
    formats: tuple[str, ...]
    must: tuple[str, ...]
    avoid: tuple[str, ...]
    vague: tuple[str, ...]
    contradictions: tuple[tuple[str, str], ...]
    examples: bool
    wants_input: bool
    """Whether it speaks of input ("the following text")."""
    open: tuple[str, ...]
    """The placeholders that are left to fill in."""

    def json(self) -> dict[str, JSON]:
        return asdict(self)


def kind_of(task: str) -> str:
    """The kind that the first decisive word of a task gives away."""
    words = [word.lower() for word in WORD.findall(task[:LONG])]
    for word in words:
        if word in DECISIVE:
            return DECISIVE[word]
    for sign, kind in SIGNS.items():
        if sign in task[:LONG]:
            return kind
    return "write" if any(word in ("write", "create", "generate") for word in words) else "answer"


def findings(sections: Sections) -> Findings:
    """Everything that the rules find; the role and the input are not read for instructions."""
    task = plain(body_of(sections, "Task"))
    text = _instructions(sections)
    settled = PLACEHOLDER.sub("", text)
    kind = kind_of(PLACEHOLDER.sub("", task).strip() or settled)
    labels = _labels(text)
    aspects = _aspects(settled, labels, (*RESTATED, *KINDS[kind].needs))
    return Findings(
        kind=kind,
        language=language_of(task),
        verbs=_verbs(task),
        aspects=aspects,
        labelled=tuple(labels),
        formats=tuple(name for name, each in FORMAT_PATTERNS.items() if each.search(settled)),
        must=_rules(settled, MUST),
        avoid=_rules(settled, AVOID),
        vague=_vague(settled, aspects),
        contradictions=_contradictions(MENTION.sub("", settled)),
        examples=bool(EXAMPLE.search(settled)),
        wants_input=_wants_input(task),
        open=tuple(PLACEHOLDER.findall(text)),
    )


def _instructions(sections: Sections) -> str:
    told = (section for section in sections if section.name not in ("Role", "Input"))
    lines = plain("\n".join(section.text for section in told)).split("\n")
    return "\n".join(line for line in lines if line.removeprefix("- ") not in OWN_LINES)


def _labels(text: str) -> dict[str, str]:
    """Lines such as `- Audience: beginners`."""
    return {name.lower().strip(): value.strip() for name, value in LABEL.findall(text)}


def _aspects(text: str, labels: Mapping[str, str], wanted: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, pattern in ASPECTS.items():
        aspect = name.split(" (")[0]
        match = pattern.search(text) if aspect in wanted else None
        if match:
            found.setdefault(aspect, _plural(" ".join(match[1].split())[:SHOWN]))
    given = {name: labels[name][:SHOWN] for name in wanted if labels.get(name)}
    return found | {name: value for name, value in given.items() if not PLACEHOLDER.match(value)}


def _plural(value: str) -> str:
    """The words of a "200 word text" are 200 words."""
    return value + "s" if SINGULAR.search(value) else value


def _verbs(task: str) -> tuple[str, ...]:
    words = dict.fromkeys(word.lower() for word in WORD.findall(task))
    verbs = tuple(word for word in words if word in VERBS or word in QUESTIONS)
    return (verbs or tuple(word for word in words if word in DECISIVE))[:8]


def _rules(text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    sentences = (piece for line in text.split("\n") for piece in SENTENCE_END.split(line))
    rules = (piece.strip(" -*\t")[:SHOWN] for piece in sentences if pattern.search(piece))
    return tuple(rule for rule, _ in zip(rules, range(RULES_SHOWN), strict=False))


def _vague(text: str, aspects: Mapping[str, str]) -> tuple[str, ...]:
    clarified = frozenset(CLARIFIED.findall(text))
    words = dict.fromkeys(word.lower() for word in WORD.findall(MENTION.sub("", text)))
    return tuple(
        word
        for word in words
        if word in VAGUE and word not in clarified and SETTLED_BY.get(word) not in aspects
    )


def _contradictions(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        pair
        for pair, (one, other) in CONTRADICTIONS.items()
        if one.search(text) and other.search(text)
    )


def _wants_input(task: str) -> bool:
    """Unless what it speaks of stands in the task itself, after a colon or in quotes."""
    match = REFERENCE.search(task)
    return match is not None and not re.search(r":\s{0,4}\S|[\"“«`]", task[match.end() :])
