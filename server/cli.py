"""The `runcast` command."""

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from .. import __version__
from .collector import uncollected
from .init import leave_process_1
from .process_settings import ProcessSettings
from .settings import LIMITS, Settings
from .worker_settings import WorkerSettings

METAVARS = {"int": "N", "float": "SECONDS", "Path": "DIR", "str": "TEXT", "SecretStr": "TOKEN"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="runcast")
def main() -> None:
    """Run pipelines, watch them live over GraphQL and REST, and stop them."""


def _options_of(
    settings: type[ProcessSettings],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Every setting as an option of the command; pydantic checks the values, not click."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own_first = sorted(settings.model_fields.items(), key=lambda item: item[0] in LIMITS)
        for name, field in reversed(own_first):
            command = _option(name, field)(command)
        return command

    return decorated


Chosen = TypeVar("Chosen", bound=ProcessSettings)


def _chosen(settings: type[Chosen], given: dict[str, object]) -> Chosen:
    """The settings with these options of the command; or it ends, and says what is wrong."""
    flags = {name: value for name, value in given.items() if value not in (None, ())}
    try:
        return settings(**flags)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        _fail(_in_words(error, flags, settings))


def _option(name: str, field: FieldInfo) -> Callable[..., Any]:
    flag, variable = f"--{name.replace('_', '-')}", f"RUNCAST_{name.upper()}"
    default = field.get_default(call_default_factory=True)
    is_switch, is_many = "bool" in str(field.annotation), "tuple" in str(field.annotation)
    if is_switch and default is None:
        flag += f"/--no-{flag[2:]}"
    said = "" if default in (None, ()) or is_switch else f"; default: {default}"
    return click.option(
        flag,
        name,
        help=f"{field.description} [{variable}{said}]",
        is_flag=is_switch,
        multiple=is_many,
        default=None,
        metavar=None if is_switch else _metavar(field),
    )


def _metavar(field: FieldInfo) -> str:
    if field.title is not None:
        return field.title
    words = str(getattr(field.annotation, "__name__", field.annotation))
    return next(
        metavar for type, metavar in METAVARS.items() if type in words or type in str(field)
    )


@main.command()
@_options_of(Settings)
def serve(**given: object) -> None:
    """Start the server, and stop it with Ctrl+C.

    Each option is also an environment variable, the name of which stands behind it; an option wins.
    """
    leave_process_1()
    settings = _chosen(Settings, given)
    # Imported here: `runcast --help` need not wait for the whole server.
    from ..core.pipelines.reader import FileReader

    # It gets ready while this process imports the rest.
    with FileReader.started_early() as reader:
        with uncollected():
            from .serve import run
            from .startup import CannotStart

        try:
            run(settings, reader)
        except CannotStart as error:
            _fail(str(error))


@main.command()
@_options_of(WorkerSettings)
def worker(**given: object) -> None:
    """Run executions of a cluster, and stop with Ctrl+C.

    Servers and workers meet at the broker (--engine), and share the folder --blobs.
    """
    leave_process_1()
    settings = _chosen(WorkerSettings, given)
    from .startup import CannotStart
    from .worker import run

    try:
        run(settings)
    except CannotStart as error:
        _fail(str(error))


@main.command()
@click.argument("path", default=".", type=click.Path(exists=True, path_type=Path))
def validate(path: Path) -> None:
    """Check the pipeline files in PATH, a file or a folder (by default the current one).

    The exit status is 1 if there is an error in one; warnings are shown and counted only.
    """
    from .check import check

    # The library logs what it leaves out; here it is printed below.
    logging.getLogger("runcast").addHandler(logging.NullHandler())
    is_folder = path.is_dir()
    problems, pipelines = asyncio.run(check(path.absolute(), is_file=not is_folder))
    for problem in problems:
        click.echo(str(problem), err=True)
    errors = [problem for problem in problems if problem.is_error]
    warned = _counted(len(problems) - len(errors), "warning")
    if errors:
        count = _counted(len(errors), "problem") + (f" and {warned}" if warned else "")
        files = len({problem.path for problem in problems})
        _fail(f"{count} in {files} of the files in {path}" if is_folder else f"{count} in {path}")
    names = ", ".join(pipeline.id for pipeline in pipelines)
    count = _counted(len(pipelines), "pipeline")
    click.echo(f"{count}, {warned or 'all good'}: {names}" if count else f"no pipelines in {path}")


@main.group()
def history() -> None:
    """Look after the history of executions."""


def _data_option(command: Callable[..., None]) -> Callable[..., None]:
    field = Settings.model_fields["data"]
    return click.option(
        "--data",
        default=field.get_default(call_default_factory=True),
        envvar="RUNCAST_DATA",
        show_envvar=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="The data folder.",
    )(command)


@history.command("check")
@_data_option
def check_history(data: Path) -> None:
    """Look for damage; a server may use the history meanwhile.

    The exit status is 1 if there is any.
    """
    from .history_command import check

    check(data)


@history.command("repair")
@_data_option
def repair_history(data: Path) -> None:
    """Rebuild a damaged history around the damage; no server may use it.

    The damaged file stays beside the new one, as history.db.broken-<time>.
    """
    from .history_command import repair

    repair(data)


def _counted(number: int, noun: str) -> str:
    """`2 warnings`; nothing for 0."""
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""


def _in_words(
    error: ValidationError, flags: dict[str, object], settings: type[ProcessSettings]
) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    name = str(first["loc"][0])
    given = f"--{name.replace('_', '-')}" if name in flags else f"RUNCAST_{name.upper()}"
    field = settings.model_fields[name]
    if field.title == "URL" or "SecretStr" in str(field.annotation):
        return f"{given}: {message}"  # There can be a password in it.
    return f"{given} {first['input']}: {message}"


def _fail(message: str) -> NoReturn:
    click.echo(f"runcast: {message}", err=True)
    sys.exit(1)
