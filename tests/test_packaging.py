"""The repository as a package: what is in it, and what it says about itself."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import runcast
from needs import need
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(runcast.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = {"core", "examples", "resolvers", "rest_compat", "schema", "server"}
DATA = [
    (package, pattern)
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items()
    for pattern in patterns
]
EXTRAS = set(PROJECT["project"]["optional-dependencies"]) - {"dev"}
BESIDE = {"tests", "benchmarks", "docs", "build"}


def folders_with_code() -> set[str]:
    """Every folder of the package that has a module in it, dotted."""
    found = {path.parent.relative_to(ROOT) for path in ROOT.rglob("*.py")}
    inside = (
        folder.parts
        for folder in found
        if not any(part.startswith(".") or part in BESIDE for part in folder.parts)
        and not any((ROOT / part / "pyvenv.cfg").exists() for part in folder.parts[:1])
        and (ROOT / folder / "__init__.py").exists()
    )
    return {".".join(("runcast", *parts)) for parts in inside}


def test_packages() -> None:
    """The list of packages in pyproject.toml is the list of the folders with code."""
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert set(listed) == folders_with_code()
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_every_folder_is_a_package(room: str) -> None:
    """A folder of a room that has a module in it has an __init__.py, too."""
    folders = {path.parent for path in (ROOT / room).rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_top_level() -> None:
    """The rooms are at the top level, as the layout of the repository has it."""
    assert {name.split(".")[1] for name in folders_with_code() if "." in name} == ROOMS


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_papers(name: str) -> None:
    """A reader finds the usual papers."""
    assert (ROOT / name).read_text().strip()


@pytest.mark.parametrize("start", ["pip install . && ", "pip install -e '.[dev]' && pytest"])
def test_readme_commands(start: str) -> None:
    """README has a line that starts the server, and one that tests, each complete in itself."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len([line for line in lines if line.startswith(start)]) == 1


def test_readme_flags() -> None:
    """Every flag that README shows is one that `runcast serve` takes."""
    from runcast.server.cli import serve

    text = (ROOT / "README.md").read_text()
    settings = text[text.index("## Settings") : text.index("## Promises")]
    shown = set(re.findall(r"--[a-z][a-z-]+", settings)) - {"--help"}
    assert shown <= {
        flag for option in serve.params for flag in option.opts + option.secondary_opts
    }


def declared(*extras: str) -> set[str]:
    """The names of the distributions that the package asks for, alone or with extras."""
    project = PROJECT["project"]
    lines = [project["dependencies"], *(project["optional-dependencies"][one] for one in extras)]
    names = {canonicalize_name(Requirement(line).name) for some in lines for line in some}
    return names - {"runcast"}


def imported(*folders: str) -> set[str]:
    """The names of the distributions that the code in these folders imports."""
    found = set()
    providers = packages_distributions()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                for module in imports_of(path):
                    found.update(map(canonicalize_name, providers.get(module, ())))
    return found - {"runcast"}


def imports_of(path: Path) -> Iterator[str]:
    """The first part of each module that is imported, but for those of Python itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        yield from {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    """Nothing comes along by chance with something else, and nothing is asked for in vain."""
    assert imported(*ROOMS) == declared(*EXTRAS)


def test_what_tests_import_is_declared() -> None:
    """A development environment has it by name."""
    assert imported("tests", "benchmarks", "docs", ".ci") <= declared(*EXTRAS, "dev")


def test_version() -> None:
    """The package tells its version, three numbers."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", runcast.__version__)


@pytest.mark.parametrize(("package", "pattern"), DATA)
def test_data_files(package: str, pattern: str) -> None:
    """What is not code and yet needed is there, for the wheel to take."""
    files = list(ROOT.joinpath(*package.split(".")[1:]).glob(pattern))
    if "node_modules" in pattern:
        need(files, "no GraphiQL: npm ci --prefix server/playground")
    assert files


def test_data_files_in_the_wheel() -> None:
    """The schema, the pipelines and the mark that the package has types are among them."""
    assert {
        ("runcast", "py.typed"),
        ("runcast.examples", "*.yaml"),
        ("runcast.schema", "schema.graphql"),
    } <= set(DATA)
