"""What is wrong with a pipeline whose file has the right keys and values: what cannot work."""

import re
from collections.abc import Iterator

from .definition import Variable
from .document import Flaw, Place, quoted
from .pipeline import CommandStage, PipelineFile, PromptStage
from .placeholder import PLACEHOLDER, names_in
from .problem import Severity
from .template_names import Names

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""POSIX has no dots and no hyphens in the names of variables; programs that use them exist."""

TEMPLATES = "`input` and `prompt.template`"


def findings(definition: PipelineFile) -> Iterator[Flaw]:
    """What always fails, as errors; and what is probably not meant, as warnings.

    It depends on the definition alone: not on the machine, and not on what is installed.
    """
    for index, names in enumerate(Names.of_each(definition.stages)):
        where: Place = ("stages", index)
        yield from _input(names, where)
        match names.stage:
            case CommandStage() as stage:
                yield from _command(stage, where)
            case PromptStage() as stage:
                yield from _prompt(stage, names, where)


def _input(names: Names, where: Place) -> Iterator[Flaw]:
    template = names.stage.input
    if template is not None:
        yield from _template(template, names, (*where, "input"))


def _template(
    template: str, names: Names, where: Place, values: frozenset[str] = frozenset()
) -> Iterator[Flaw]:
    for name in names_in(template):
        if flaw := names.flaw(name, values):
            yield Flaw(f"{_braced(name)} {flaw}", where)


def _prompt(stage: PromptStage, names: Names, where: Place) -> Iterator[Flaw]:
    where = (*where, "prompt")
    values = frozenset(variable.name for variable in stage.prompt.variables)
    yield from _template(stage.prompt.template, names, (*where, "template"), values)
    for index, variable in enumerate(stage.prompt.variables):
        yield from _variable(variable, names, (*where, "variables", index))
    if stage.prompt.system_prompt is not None:
        yield from _as_it_is(stage.prompt.system_prompt, (*where, "systemPrompt"))


def _variable(variable: Variable, names: Names, where: Place) -> Iterator[Flaw]:
    """One that never has a value fails its stage, or reads as empty text if it is not required."""
    severity = Severity.ERROR if variable.required else Severity.WARNING
    flaw = _source_flaw(variable, names)
    if flaw is not None:
        yield Flaw(f"{quoted(variable.name)} never has a value: it {flaw}", where, None, severity)


def _source_flaw(variable: Variable, names: Names) -> str | None:
    path = variable.path or variable.name
    match variable.source:
        case "input" if path != "prompt":
            return f"names nothing: the only `path` of an input is `prompt`, not {quoted(path)}"
        case "context":
            return names.context_flaw(path)
        case "previousStage" if variable.stage_id is not None and variable.path is not None:
            return names.path_flaw(variable.stage_id, variable.path)
        case "static" if "value" not in variable.model_fields_set and variable.required:
            return "is static, and has no `value`"
    return None


def _command(stage: CommandStage, where: Place) -> Iterator[Flaw]:
    if not stage.command[0].strip():
        yield Flaw("the program must not be empty", (*where, "command"))
    for index, argument in enumerate(stage.command):
        yield from _as_it_is(argument, (*where, "command", index))
    for index, entry in enumerate(stage.env):
        yield from _env(entry, (*where, "env", index))


def _env(entry: str, where: Place) -> Iterator[Flaw]:
    name, _, value = entry.partition("=")
    if not ENV_NAME.fullmatch(name):
        # Nothing of an entry is quoted, because it may have a secret anywhere.
        yield Flaw("must be `NAME` or `NAME=value`; a name has letters, digits and `_`", where)
    if PLACEHOLDER.search(value):
        yield _as_it_is_flaw("`{{…}}`", where)


def _as_it_is(text: str, where: Place) -> Iterator[Flaw]:
    if found := PLACEHOLDER.search(text):
        yield _as_it_is_flaw(_braced(found[1]), where)


def _as_it_is_flaw(placeholder: str, where: Place) -> Flaw:
    message = f"{placeholder} is passed as it is: only {TEMPLATES} are templates"
    return Flaw(message, where, None, Severity.WARNING)


def _braced(name: str) -> str:
    return quoted(f"{{{{{name}}}}}")
