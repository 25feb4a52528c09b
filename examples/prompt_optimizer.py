"""The six stages of the prompt optimizer: each takes what the one before made, and adds to it."""

from dataclasses import asdict
from typing import Any, Protocol, TypeAlias

from ..core.json_value import JSON
from .prompt_checks import Verdict, improve, judge
from .prompt_findings import RESTATED, Findings, findings
from .prompt_kinds import KINDS, PLACEHOLDERS
from .prompt_sections import Section, Sections, body_of, render, sections_of, with_body, with_line

ROUNDS = 4
ASK_FOR_TASK = "[what is to be done]"

Draft: TypeAlias = dict[str, Any]
"""What a stage hands to the next one; JSON."""


class StageContext(Protocol):
    """What a stage may do beside returning its value."""

    def emit(self, text: str) -> None:
        """Shows a piece of text at once."""

    def progress(self, fraction: float, note: str = "") -> None:
        """Tells how far the stage is, from 0 to 1."""


def analyze(input: JSON, context: StageContext) -> Draft:
    """Reads the user's prompt and finds what it says, and what it does not say."""
    text = input if isinstance(input, str) else str(input)
    sections = sections_of(text)
    read = findings(sections)
    missing = [need for need in KINDS[read.kind].needs if need not in read.aspects]
    context.emit(f"{len(text):,} characters, {read.language}, kind: {read.kind}\n")
    for line in _found(read):
        context.emit(f"{line}\n")
    context.emit(f"Missing: {', '.join(missing) or 'nothing'}\n")
    return {"text": text, "found": read.json(), "missing": missing}


def structure(input: JSON, context: StageContext) -> Draft:
    """Sorts the prompt into sections."""
    draft = _draft(input)
    sections = sections_of(draft["text"])
    score = judge(sections).score
    for section in sections:
        title = section.heading.lstrip("# ") or "(before the first heading)"
        context.emit(f"{title}: {len(section.body.split()):,} words\n")
    context.emit(f"As it is, the prompt scores {score} of 100\n")
    return {
        "found": draft["found"],
        "sections": _json(sections),
        "scoreOfInput": score,
        "changes": [] if render(sections) == draft["text"] else ["Sorted the text into sections"],
    }


def enhance(input: JSON, context: StageContext) -> Draft:
    """Adds what this kind of prompt needs: defaults, or placeholders for what only users know."""
    draft = _draft(input)
    sections = _loaded(draft)
    read = findings(sections)
    additions = _additions(sections, read)
    for name, line, why in additions:
        sections = _added(sections, name, line)
        context.emit(f"{why}\n")
    if not additions:
        context.emit("Nothing is missing\n")
    changes = [*draft["changes"], *(why for _, _, why in additions)]
    return draft | {"sections": _json(sections), "changes": changes}


def validate(input: JSON, context: StageContext) -> Draft:
    """Scores the prompt by named checks."""
    draft = _draft(input)
    verdict = judge(_loaded(draft))
    context.emit(f"Score: {verdict.score} of 100\n")
    for name, finding in verdict.findings.items():
        context.emit(f"{name}: {finding}\n")
    return draft | _judged(verdict)


def iterate(input: JSON, context: StageContext) -> Draft:
    """Puts right what the checks found, until the score stops rising."""
    draft = _draft(input)
    sections = _loaded(draft)
    verdict = judge(sections)
    before, changes = verdict.score, list(draft["changes"])
    for number in range(1, ROUNDS + 1):
        sections, after, done = improve(sections, verdict)
        context.emit(f"Round {number}: {verdict.score} → {after.score}\n")
        context.progress(number / ROUNDS, f"score {after.score}")
        changes += [f"Put right {each}" for each in done]
        if after.score == verdict.score:
            break
        verdict = after
    return (
        draft
        | _judged(verdict)
        | {"sections": _json(sections), "scoreBefore": before, "changes": changes}
    )


def finalize(input: JSON, context: StageContext) -> Draft:
    """Writes the optimized prompt and tells what has changed."""
    draft = _draft(input)
    sections = _loaded(draft)
    read = findings(sections)
    for change in draft["changes"] or ["Nothing had to be changed"]:
        context.emit(f"{change}\n")
    context.emit(f"Score: {draft['scoreOfInput']} → {draft['score']}\n")
    context.emit(f"Left to fill in: {len(read.open)}\n")
    return {
        "optimizedPrompt": render(sections),
        "score": draft["score"],
        "scoreOfInput": draft["scoreOfInput"],
        "changes": draft["changes"],
        "findings": draft["findings"],
        "leftToFillIn": list(read.open),
        "kind": read.kind,
        "language": read.language,
    }


def _found(read: Findings) -> list[str]:
    lines = [f"{name.capitalize()}: {value}" for name, value in read.aspects.items()]
    lists = {
        "Asked to": read.verbs,
        "Format": read.formats,
        "Must": read.must,
        "Must not": read.avoid,
        "Vague": read.vague,
        "Contradicts itself": tuple(" and ".join(pair) for pair in read.contradictions),
    }
    return lines + [f"{name}: {'; '.join(values)}" for name, values in lists.items() if values]


def _additions(sections: Sections, read: Findings) -> list[tuple[str, str, str]]:
    """What to add: the section, the line, and what to tell about it."""
    kind, there = KINDS[read.kind], {each.name for each in sections if each.text}
    additions = []
    if "Role" not in there:
        additions.append(("Role", kind.role, "Added a role"))
    if "Task" not in there:
        additions.append(("Task", ASK_FOR_TASK, "Asked for the task"))
    additions += [*_aspect_lines(sections, read), *_default_lines(sections, read)]
    if "Output format" not in there:
        form = _form(read)
        additions.append(("Output format", form, "Said what the answer should look like"))
    return additions


def _aspect_lines(sections: Sections, read: Findings) -> list[tuple[str, str, str]]:
    task = findings(tuple(each for each in sections if each.name == "Task")).aspects
    lines = []
    for name in dict.fromkeys((*KINDS[read.kind].needs, *RESTATED)):
        if name in read.labelled:
            continue
        if name in RESTATED and name in task:
            line = f"{name.capitalize()}: {task[name]}"
            lines.append(("Requirements", line, f"Restated the {name}: {task[name]}"))
        elif name in KINDS[read.kind].needs and name not in read.aspects:
            lines.append(("Requirements", PLACEHOLDERS[name], f"Asked for the {name}"))
    return lines


def _default_lines(sections: Sections, read: Findings) -> list[tuple[str, str, str]]:
    requirements = body_of(sections, "Requirements")
    lines = [line for line in KINDS[read.kind].defaults if line not in requirements]
    if read.language != "English" and "language" not in read.labelled and read.kind != "translate":
        lines.append(f"Language: answer in {read.language}, the language of the task")
    return [("Requirements", line, f"Added a rule: {line}") for line in lines]


def _form(read: Findings) -> str:
    kind = KINDS[read.kind]
    # In code, "from CSV into JSON" is the program's business, not the answer's.
    if not read.formats or read.kind in ("code", "debug"):
        return kind.format
    return f"{kind.format}\nFormat: {' and '.join(read.formats)}."


def _added(sections: Sections, name: str, line: str) -> Sections:
    if name == "Requirements":
        return with_line(sections, name, line)
    return with_body(sections, name, line)


def _judged(verdict: Verdict) -> Draft:
    return {"score": verdict.score, "findings": dict(verdict.findings)}


def _draft(input: JSON) -> Draft:
    if not isinstance(input, dict):
        raise TypeError("this stage takes what the stage before it has made")
    return input


def _loaded(draft: Draft) -> Sections:
    return tuple(Section(**section) for section in draft["sections"])


def _json(sections: Sections) -> list[dict[str, str]]:
    return [asdict(section) for section in sections]
