"""Faults that could be in a module: each a small change at one place, made by cosmic-ray."""

import ast
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Keyword
from parso.tree import NodeOrLeaf

ROOT = Path(__file__).parents[1]
Place = tuple[tuple[int, int], tuple[int, int]]
"""Line and column of a start and an end."""


class StatementRemover(Operator):
    """Takes out a call, an `await` or an assignment to a part of something: what is forgotten."""

    ALONE = ("atom_expr", "await_expr", "del_stmt")
    PARTS = ("atom_expr", "power")

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[Place]:
        if node.type == "simple_stmt" and self._can_go(node.children[0]):
            yield node.start_pos, node.end_pos

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        first = node.children[0]
        node.children[0] = Keyword("pass", first.start_pos, first.get_first_leaf().prefix)
        return node

    def _can_go(self, statement: NodeOrLeaf) -> bool:
        if statement.type == "expr_stmt":
            return statement.children[0].type in self.PARTS
        return statement.type in self.ALONE

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A mutation of a module: which operator's, at which of the places where it could be put in."""

    module: Path
    operator: Operator
    occurrence: int
    line: int

    def __str__(self) -> str:
        name = type(self.operator).__name__.removeprefix("Replace")
        return f"{self.module}:{self.line} {name} {self.occurrence}"

    def put_into(self, source: str) -> str:
        """The mutated source; the same if the operator makes nothing of this place."""
        try:
            return mutate_code(source, self.operator, self.occurrence) or source
        except AttributeError:  # ExceptionReplacer, of `asyncio.CancelledError`: a bug of 8.7
            return source


def sampled(paths: Iterable[str], seed: int) -> Iterator[Fault]:
    """Every place once, in a random order, with one of the faults that fit there."""
    chance = random.Random(seed)
    places = [faults for module in modules(paths) for faults in faults_by_place(module)]
    chance.shuffle(places)
    return map(chance.choice, places)


def modules(paths: Iterable[str]) -> list[Path]:
    found = (each for path in paths for each in ([path] if path.endswith(".py") else under(path)))
    return sorted({Path(each) for each in found})


def under(folder: str) -> list[Path]:
    return [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py")]


def faults_by_place(module: Path) -> list[list[Fault]]:
    """For each place in a module the faults that fit there: it counts once, however many."""
    source = (ROOT / module).read_text()
    tree, without_effect = get_ast(source), list(declarations(source))
    places = defaultdict(list)
    for operator in operators():
        found = (place for node in ast_nodes(tree) for place in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(found):
            if not any(first <= start and end <= last for first, last in without_effect):
                places[start, end].append(Fault(module, operator, occurrence, start[0]))
    return list(places.values())


def operators() -> list[Operator]:
    """All of cosmic-ray's that need no arguments, and our own."""
    classes = [get_operator(name) for name in operator_names()]
    return [each() for each in classes if not each.arguments()] + [StatementRemover()]


def declarations(source: str) -> Iterator[Place]:
    """Where a fault has no effect when the program runs: types, and what a dataclass forbids."""
    for node in ast.walk(ast.parse(source)):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        decorators = getattr(node, "decorator_list", [])
        parts += [each for each in decorators if "dataclass" in ast.unparse(each)]
        for part in parts:
            if isinstance(part, ast.expr):
                yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)
