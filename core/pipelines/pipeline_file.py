"""From a file to a pipeline, or to everything that is wrong with the file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import RuncastError
from ..json_text import NotJSON, check_depth, encode
from .content import OtherJSON, content_of, text_of
from .document import Document, DocumentError, Flaw, Place, quoted, read_json, read_yaml
from .findings import findings
from .keys import kind_meant, unknown_key
from .pipeline import Pipeline, PipelineFile
from .problem import Problem, Severity
from .source import shown

MAX_PROBLEMS = 100

READERS: Mapping[str, Callable[[str], Document]] = {
    ".yaml": read_yaml,
    ".yml": read_yaml,
    ".json": read_json,
}

CHECKED_KEYS = frozenset({"call", "command", "cwd"})
"""The keys of stages that can be wrong for a reason outside of the file."""

MESSAGES: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "string_unicode": "must be text without lone surrogates",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too big a number",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "model_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
}
SHAPES: Mapping[str, str] = {
    "id": "must be letters, digits, `.`, `_` and `-`, with a letter or a digit first",
    "version": "must be a semantic version, such as 1.0.0 or 2.1.0-beta.1",
    "call": "must be `package.module:function`",
}


class PipelineFileError(RuncastError):
    """A file is no pipeline; `problems` has all of the reasons, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class NotAPipeline(PipelineFileError):
    """A file is not meant as a pipeline: a folder's library passes over it in silence."""


def load(path: Path) -> Pipeline:
    """The pipeline of one YAML (`.yaml`, `.yml`) or JSON (`.json`) file.

    Raises:
        NotAPipeline: it is a JSON file with neither of the keys of one.
        PipelineFileError: the file cannot be read, or is not a pipeline.
    """
    return parse(path, read(path))


def read(path: Path) -> bytes:
    """The content of a file, which may take as long as the file system does.

    Raises:
        PipelineFileError: the file cannot be read.
    """
    with _problems_of(path):
        return content_of(path)


def parse(path: Path, content: bytes) -> Pipeline:
    """The pipeline of a file with that content.

    Raises:
        NotAPipeline: it is a JSON file with neither of the keys of one.
        PipelineFileError: it is not a pipeline.
    """
    with _problems_of(path):
        document = _document(path, content)
        source = _mapping(document)
        definition = _valid(source, document)
        _require_json(source)
        warnings = _warnings(definition, document)
        return Pipeline(
            definition=definition,
            source=shown(source),
            path=path,
            warnings=_problems(path, warnings),
            lines=dict(_lines(definition, document)),
        )


def spelled(place: Place) -> str:
    """`stages[1].timeoutMs`, from its parts."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{quoted(part)[1:-1]}" for part in place)
    return "".join(parts).removeprefix(".")


@contextmanager
def _problems_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OtherJSON as error:
        raise NotAPipeline(_problems(path, error.flaws)) from error
    except DocumentError as error:
        raise PipelineFileError(_problems(path, error.flaws)) from error


def _problems(path: Path, flaws: tuple[Flaw, ...]) -> tuple[Problem, ...]:
    ordered = sorted(flaws, key=lambda flaw: flaw.line or 0)
    problems = [
        Problem(path, spelled(flaw.place), flaw.message, flaw.line, flaw.severity)
        for flaw in ordered[:MAX_PROBLEMS]
    ]
    if more := ordered[MAX_PROBLEMS:]:
        worst = min(flaw.severity for flaw in more)
        problems.append(Problem(path, "", f"and {len(more)} more problems", None, worst))
    return tuple(problems)


def _document(path: Path, content: bytes) -> Document:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DocumentError(Flaw(f"a pipeline file ends with {', '.join(READERS)}"))
    return reader(text_of(path, content))


def _mapping(document: Document) -> dict[str, Any]:
    if not isinstance(document.content, dict):
        raise DocumentError(Flaw("a pipeline file is a mapping with `pipeline` and `stages`"))
    return document.content


def _valid(content: dict[str, Any], document: Document) -> PipelineFile:
    try:
        return PipelineFile.model_validate(content, by_alias=True, by_name=False)
    except ValidationError as error:
        raise DocumentError(*_flaws(content, document, error)) from error


def _require_json(content: dict[str, Any]) -> None:
    """Clients are shown the content as it is, so it must be possible to send it."""
    try:
        check_depth(content)
        encode(content).encode()
    except (NotJSON, UnicodeEncodeError) as error:
        raise DocumentError(Flaw(f"it cannot be written as JSON: {error}")) from error


def _warnings(definition: PipelineFile, document: Document) -> tuple[Flaw, ...]:
    flaws = [replace(flaw, line=document.line(flaw.place)) for flaw in findings(definition)]
    if any(flaw.severity is Severity.ERROR for flaw in flaws):
        raise DocumentError(*flaws)
    return tuple(flaws)


def _lines(definition: PipelineFile, document: Document) -> Iterator[tuple[str, int]]:
    for index, stage in enumerate(definition.stages):
        for key in CHECKED_KEYS & stage.model_fields_set:
            place = ("stages", index, key)
            if line := document.line(place):
                yield spelled(place), line


def _flaws(content: Any, document: Document, error: ValidationError) -> Iterator[Flaw]:
    for details in error.errors(include_url=False):
        if not _is_echo(details):
            for place, message in _told(details):
                yield Flaw(message, place, document.line(place))
    # pydantic looks at the ids only when nothing else is wrong.
    for place in _same_ids(content):
        yield Flaw("another stage has the same id", place, document.line(place))


def _told(details: ErrorDetails) -> Iterator[tuple[Place, str]]:
    if details["type"] == "stage_references":
        yield from details["ctx"]["places"].items()
    else:
        yield _place(details["loc"]), _message(details)


def _is_echo(details: ErrorDetails) -> bool:
    """Whether it only repeats others: a list whose items are all invalid counts as empty."""
    if details["type"] == "too_short":
        return len(details["input"]) > 0
    return details["type"] == "stage_ids"


def _place(loc: Place) -> Place:
    """pydantic puts the tag of what has one, as the kind of a stage, before the keys of it."""
    if len(loc) > 2 and (loc[0] == "stages" or loc[:2] == ("pipeline", "targetModel")):
        return (*loc[:2], *loc[3:])
    return loc


def _message(details: ErrorDetails) -> str:
    kind, loc = details["type"], details["loc"]
    if kind == "extra_forbidden":
        return unknown_key(loc)
    if kind == "string_pattern_mismatch":
        return SHAPES.get(str(loc[-1]), details["msg"])
    if kind == "stage_kind" and isinstance(details["input"], dict):
        return details["msg"] + kind_meant(details["input"])
    return MESSAGES.get(kind, details["msg"]).format_map(details.get("ctx", {}))


def _same_ids(content: Any) -> Iterator[Place]:
    seen: set[str] = set()
    stages = content.get("stages")
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        id = stage.get("id") if isinstance(stage, dict) else None
        if isinstance(id, str):
            if id in seen:
                yield "stages", index, "id"
            seen.add(id)
