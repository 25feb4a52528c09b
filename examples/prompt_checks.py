"""The checks that a prompt is scored by, and what puts right what they find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .prompt_blocks import LONG
from .prompt_findings import Findings, findings
from .prompt_kinds import GAPS, KINDS, PLACEHOLDERS
from .prompt_patterns import PLACEHOLDER
from .prompt_sections import Sections, body_of, with_body, with_line
from .prompt_words import VAGUE

ENOUGH_WORDS = 25
"""A task of so many words brings its context along."""
ENOUGH_BYTES = 12
"""Of UTF-8, because a Chinese character says as much as a few letters."""
CLARIFIED_AT_ONCE = 3
VAGUE_AT_MOST = 5
OPEN_AT_MOST = 10

CONFLICT = "Where “{}” and “{}” pull apart: [which of the two comes first]"
INPUT = "[paste here what the task speaks of]"
CONTEXT = "[the purpose, the situation, and what has been tried already]"

Measure: TypeAlias = Callable[[Sections, Findings], float]
Fix: TypeAlias = Callable[[Sections, Findings], Sections]


@dataclass(frozen=True, slots=True)
class Check:
    """`measure` is from 0 (not at all) to 1 (all is well), and counts `weight` points."""

    weight: int
    finding: str
    measure: Measure
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The score of a prompt, from 0 to 100, and what keeps it from 100 by check."""

    score: int
    findings: Mapping[str, str]
    read: Findings


def judge(sections: Sections) -> Verdict:
    """Measures a prompt by every check."""
    read = findings(sections)
    measured = {name: check.measure(sections, read) for name, check in CHECKS.items()}
    points = sum(CHECKS[name].weight * part for name, part in measured.items())
    short = {name: CHECKS[name].finding for name, part in measured.items() if part < 1}
    return Verdict(round(points), short, read)


def improve(sections: Sections, verdict: Verdict) -> tuple[Sections, Verdict, list[str]]:
    """One round: each correction stays if the score rises by it. Also returns what was done."""
    done: list[str] = []
    for name, finding in verdict.findings.items():
        fix = CHECKS[name].fix
        if fix is None:
            continue
        tried = fix(sections, verdict.read)
        after = judge(tried)
        if after.score > verdict.score:
            sections, verdict = tried, after
            done.append(f"{name}: {finding}")
    return sections, verdict, done


def _filled(text: str) -> str:
    return PLACEHOLDER.sub("", text[:LONG]).strip()


def _given(text: str) -> float:
    """A placeholder is half of what it asks for."""
    return 1.0 if _filled(text) else 0.5 if text.strip() else 0.0


def _has_task(sections: Sections, read: Findings) -> float:
    task = _filled(body_of(sections, "Task"))
    return min(1.0, len(task.encode(errors="replace")) / ENOUGH_BYTES)


def _has_action(sections: Sections, read: Findings) -> float:
    return float(bool(read.verbs) or read.language != "English")


def _has(name: str) -> Measure:
    return lambda sections, read: float(bool(body_of(sections, name)))


def _has_context(sections: Sections, read: Findings) -> float:
    words = len(_filled(body_of(sections, "Task")).split())
    return max(_given(body_of(sections, "Context")), min(1.0, words / ENOUGH_WORDS))


def _has_needs(sections: Sections, read: Findings) -> float:
    needs = KINDS[read.kind].needs
    given = (1.0 if need in read.aspects else 0.5 * (need in read.labelled) for need in needs)
    return sum(given) / len(needs)


def _is_plain(sections: Sections, read: Findings) -> float:
    return 1 - min(len(read.vague), VAGUE_AT_MOST) / VAGUE_AT_MOST


def _is_consistent(sections: Sections, read: Findings) -> float:
    requirements = body_of(sections, "Requirements")
    return float(all(CONFLICT.format(*pair) in requirements for pair in read.contradictions))


def _has_input(sections: Sections, read: Findings) -> float:
    return _given(body_of(sections, "Input")) if read.wants_input else 1.0


def _covers_gaps(sections: Sections, read: Findings) -> float:
    return float(GAPS in body_of(sections, "Requirements"))


def _is_filled_in(sections: Sections, read: Findings) -> float:
    return 1 - min(len(read.open), OPEN_AT_MOST) / OPEN_AT_MOST


def _add_context(sections: Sections, read: Findings) -> Sections:
    return _asked(sections, "Context", CONTEXT)


def _asked(sections: Sections, name: str, placeholder: str) -> Sections:
    return sections if body_of(sections, name) else with_body(sections, name, placeholder)


def _add_needs(sections: Sections, read: Findings) -> Sections:
    for need in KINDS[read.kind].needs:
        if need not in read.aspects and need not in read.labelled:
            sections = with_line(sections, "Requirements", PLACEHOLDERS[need])
    return sections


def _clarify(sections: Sections, read: Findings) -> Sections:
    for word in read.vague[:CLARIFIED_AT_ONCE]:
        sections = with_line(sections, "Requirements", f"“{word}” means: [{VAGUE[word]}]")
    return sections


def _settle(sections: Sections, read: Findings) -> Sections:
    for pair in read.contradictions:
        line = CONFLICT.format(*pair)
        if line not in body_of(sections, "Requirements"):
            sections = with_line(sections, "Requirements", line)
    return sections


def _add_input(sections: Sections, read: Findings) -> Sections:
    return _asked(sections, "Input", INPUT)


def _cover_gaps(sections: Sections, read: Findings) -> Sections:
    return with_line(sections, "Requirements", GAPS)


CHECKS: Mapping[str, Check] = {
    "task": Check(15, "it hardly says what is to be done", _has_task),
    "action": Check(10, "no verb says what is to be done", _has_action),
    "role": Check(5, "nobody is named to do it", _has("Role")),
    "context": Check(10, "the situation is not told", _has_context, _add_context),
    "needs": Check(10, "what this kind of prompt needs is not given", _has_needs, _add_needs),
    "format": Check(10, "the form of the answer is left open", _has("Output format")),
    "requirements": Check(10, "there are no requirements to meet", _has("Requirements")),
    "plain words": Check(10, "vague words are not explained", _is_plain, _clarify),
    "consistency": Check(5, "two wishes contradict each other", _is_consistent, _settle),
    "input": Check(5, "the input that it speaks of is not there", _has_input, _add_input),
    "gaps": Check(5, "nothing says what to do about gaps", _covers_gaps, _cover_gaps),
    "filled in": Check(5, "placeholders are left to fill in", _is_filled_in),
}
