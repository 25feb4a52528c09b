"""`docs/architecture.md` and its picture are of the code as it is."""

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
import runcast

ROOT = Path(runcast.__file__).parent
PAPER = (ROOT / "docs" / "architecture.md").read_text()
STEPS = re.findall(r"`([a-z_/]+\.py)`\s+`(\w+(?:\.\w+)?)`", PAPER)
FUNCTIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    """The script that draws the picture."""
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "docs" / "rooms.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def marked(name: str) -> list[tuple[str, str]]:
    """The pairs of rooms that elements of that class stand for in the picture."""
    elements = ElementTree.parse(ROOT / "docs" / "images" / "rooms.svg").iter()
    return [
        (element.attrib["data-from"], element.attrib["data-to"])
        for element in elements
        if element.get("class") == name
    ]


def below(room: str, arrows: list[tuple[str, str]]) -> set[str]:
    """Where the arrows lead from a room, one after the other."""
    found = {imported for importer, imported in arrows if importer == room}
    return found.union(*(below(one, arrows) for one in found))


def test_the_picture_has_every_import(rooms: ModuleType) -> None:
    """A dot for each, and no dot for what is not imported."""
    found, _ = rooms.imports()
    assert sorted(marked("dot")) == sorted(found)


def test_the_picture_is_up_to_date(rooms: ModuleType) -> None:
    """After `python docs/rooms.py` nothing has changed."""
    assert rooms.PICTURE.read_text() == rooms.picture()


def test_no_room_imports_one_above(rooms: ModuleType) -> None:
    """In the order of the picture, from the top."""
    order = list(rooms.ROOMS)
    assert all(
        order.index(importer) < order.index(imported) for importer, imported in marked("dot")
    )


def test_arrows_lead_where_dots_are() -> None:
    """Each arrow is an import, the arrows together lead to all, and none could be left out."""
    arrows, dots = marked("arrow"), marked("dot")
    assert set(arrows) <= set(dots)
    assert all(imported in below(importer, arrows) for importer, imported in dots)
    for importer, imported in arrows:
        others = [arrow for arrow in arrows if arrow != (importer, imported)]
        assert imported not in below(importer, others)


@pytest.mark.parametrize(("file", "name"), sorted(set(STEPS)))
def test_a_step_of_a_walk_is_in_the_code(file: str, name: str) -> None:
    """Every function and class that the walks name is where they say."""
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text()).body
    for part in name.split("."):
        found = [node for node in body if isinstance(node, FUNCTIONS) and node.name == part]
        assert found, f"{file} has no {name}"
        body = found[0].body


def test_the_walks_are_there() -> None:
    """Start, output, cancel and shutdown, with steps of their own."""
    walks = re.findall(r"^## The walk of an? (.+)$", PAPER, re.MULTILINE)
    assert walks == ["start", "start in a cluster", "output chunk", "cancel", "shutdown"]
    assert len(STEPS) > 30
