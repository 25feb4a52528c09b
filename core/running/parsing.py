"""From the text that a stage has put out to the value that it hands over.

The rules for what a language model says are those of section 5.3 of the REST contract. Each of them
takes linear time.
"""

import re
from collections.abc import Iterable

from ..errors import StageError
from ..json_text import VALUE_DEPTH, NotJSON, check_depth
from ..json_value import JSON, loads
from ..pipelines.definition import Extract, OutputDefinition, OutputFormat
from ..text import trimmed
from .conditions import MISSING, lookup
from .json_in_text import in_answer, in_printout

HEADING = re.compile(r"#{1,6}[ \t]+(\S.*)")
LABEL = re.compile(r"[ \t]*([^\W\d_][\w -]{0,60}):[ \t]+(\S.*)")


def parsed(output: OutputDefinition, value: JSON, *, by_model: bool) -> JSON:
    """What a stage hands over, from the value that it came to; `by_model`: a model's answer.

    A value that is JSON already (a python stage's) is only extracted from.

    Raises:
        StageError: the text has no JSON, or what is to be extracted is not in it.
    """
    if isinstance(value, str):
        value = _read(output.format, value, by_model)
    if output.format != "json" or not output.extract:
        return value
    return _extracted(output.extract, value)


def _read(format: OutputFormat, text: str, by_model: bool) -> JSON:
    match format:
        case "json":
            return _json(in_answer(text) if by_model else in_printout(text))
        case "markdown":
            return _markdown(text)
        case "text":
            return _text(text)


def _json(candidates: Iterable[str]) -> JSON:
    failures = []
    for candidate in candidates:
        try:
            value = loads(candidate)
            check_depth(value, VALUE_DEPTH)
        except ValueError as error:
            failures.append(error)
        else:
            return value
    # That a number cannot be kept says more than that a log is no JSON.
    reason = next((each for each in failures if isinstance(each, NotJSON)), failures[0])
    raise _unreadable(str(reason)) from reason


def _extracted(fields: tuple[Extract, ...], value: JSON) -> dict[str, JSON]:
    extracted: dict[str, JSON] = {}
    for field in fields:
        found = lookup(value, field.path)
        if found is not MISSING:
            extracted[field.name] = found
        elif "default" in field.model_fields_set:
            extracted[field.name] = field.default
        elif field.required:
            raise _unreadable(f'Required field "{field.name}" not found at path "{field.path}"')
    return extracted


def _markdown(text: str) -> dict[str, JSON]:
    """A section under each heading's name in snake_case; what is before the first, as `content`.

    Of two headings with the same name the last one counts.
    """
    sections: dict[str, list[str]] = {"content": []}
    lines = sections["content"]
    for line in text.split("\n"):
        heading = HEADING.fullmatch(line)
        if heading and (name := _snake_case(heading[1])):
            lines = sections[name] = []
        else:
            lines.append(line)
    joined = {name: trimmed("\n".join(lines)) for name, lines in sections.items()}
    return {name: section for name, section in joined.items() if section or name != "content"}


def _snake_case(heading: str) -> str:
    return re.sub(r"[\W_]+", "_", heading).strip("_").lower()


def _text(text: str) -> dict[str, JSON]:
    """The whole as `content`, and each `Label: value` line under its label in lower case."""
    labelled = (LABEL.fullmatch(line) for line in text.split("\n"))
    labels = {match[1].lower(): trimmed(match[2]) for match in labelled if match}
    return {**labels, "content": trimmed(text)}


def _unreadable(reason: str) -> StageError:
    message = f"Failed to parse JSON output: {reason}"
    return StageError(message, type="OutputError", retryable=False)
