"""The schema as it is written down."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema as from_sdl
from runcast.schema.build import build_schema

WRITTEN = (files("runcast.schema") / "schema.graphql").read_text()


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Every type, field, argument and enum value of ours, with its description."""
    for name, type in schema.type_map.items():
        if name.startswith("__") or name in ("String", "Int", "Float", "Boolean", "ID"):
            continue
        yield name, type.description
        for value_name, value in getattr(type, "values", {}).items():
            yield f"{name}.{value_name}", value.description
        for field_name, field in getattr(type, "fields", {}).items():
            yield f"{name}.{field_name}", field.description
            for argument_name, argument in getattr(field, "args", {}).items():
                yield f"{name}.{field_name}({argument_name}:)", argument.description


def test_written_down() -> None:
    """schema/schema.graphql is what the code prints; `python -m runcast.schema` writes it anew."""
    assert build_schema().as_str() + "\n" == WRITTEN


def test_printed(tmp_path: Path) -> None:
    """`python -m runcast.schema` prints the schema and nothing else."""
    command = [sys.executable, "-m", "runcast.schema"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (printed.stdout, printed.stderr, printed.returncode) == (WRITTEN, "", 0)


@pytest.mark.parametrize(("place", "description"), list(described(from_sdl(WRITTEN))))
def test_described(place: str, description: str | None) -> None:
    """Everything in the schema has a description, a sentence that ends as one."""
    assert description, place
    assert description.rstrip("`").endswith((".", ":")), description


def test_roots() -> None:
    """What can be asked, done and followed."""
    schema = from_sdl(WRITTEN)
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    assert [sorted(root.fields) for root in roots if root] == [
        [
            "execution",
            "executions",
            "executionsConnection",
            "historyProblems",
            "node",
            "pipeline",
            "pipelineProblems",
            "pipelines",
            "server",
        ],
        ["cancelExecution", "cancelExecutions", "retryExecution", "startExecution"],
        ["executionProgress", "executionsChanged"],
    ]
