"""From a file to a pipeline, or to everything that is wrong with the file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from ..errors import RuncastError
from ..json_text import NotJSON, check_depth, encode
from ..text import printable
from .content import OtherJSON, content_of, text_of
from .document import Document, DocumentError, Flaw, Place, quoted, read_json, read_yaml
from .pipeline import Pipeline, PipelineFile
from .source import shown

MAX_PROBLEMS = 100

READERS: Mapping[str, Callable[[str], Document]] = {
    ".yaml": read_yaml,
    ".yml": read_yaml,
    ".json": read_json,
}

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
    "version": "must be three numbers, such as 1.0.0",
    "call": "must be `package.module:function`",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a pipeline file: `place` is as in `stages[1].timeoutMs`."""

    path: Path
    place: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        file = printable(str(self.path)) + ("" if self.line is None else f":{self.line}")
        return ": ".join(part for part in (file, self.place, self.message) if part)


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
        return Pipeline(definition=definition, source=shown(source), path=path)


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
        Problem(path, spelled(flaw.place), flaw.message, flaw.line)
        for flaw in ordered[:MAX_PROBLEMS]
    ]
    if more := len(ordered) - len(problems):
        problems.append(Problem(path, "", f"and {more} more problems"))
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
        return _unknown_key(loc)
    if kind == "string_pattern_mismatch":
        return SHAPES.get(str(loc[-1]), details["msg"])
    return MESSAGES.get(kind, details["msg"]).format_map(details.get("ctx", {}))


def _unknown_key(loc: Place) -> str:
    key = str(loc[-1])
    spellings = {known.lower(): known for known in _known_keys(loc)}
    message = f"unknown key {quoted(key)}"
    for close in get_close_matches(key[:100].lower(), spellings, 1):
        message += f"; did you mean `{spellings[close]}`?"
    return message


def _known_keys(loc: Place) -> Iterator[str]:
    annotations: list[Any] = [PipelineFile]
    for part in loc[:-1]:
        annotations = [below for one in annotations for below in _below(one, part)]
    for model in annotations:
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (field.alias or name for name, field in model.model_fields.items())


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    """What the types of the definition have at one part of a pydantic location."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        yield from (field.annotation for name, field in fields if (field.alias or name) == part)
    elif isinstance(part, int):
        yield from get_args(annotation)
    elif _tag(annotation) == part:
        yield get_args(annotation)[0]
    else:
        for argument in get_args(annotation):
            yield from _below(argument, part)


def _tag(annotation: Any) -> str | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((each.tag for each in get_args(annotation)[1:] if isinstance(each, Tag)), None)


def _same_ids(content: Any) -> Iterator[Place]:
    seen: set[str] = set()
    stages = content.get("stages")
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        id = stage.get("id") if isinstance(stage, dict) else None
        if isinstance(id, str):
            if id in seen:
                yield "stages", index, "id"
            seen.add(id)
