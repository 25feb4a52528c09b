"""What a server imports before it answers: a start takes as long as that."""

import re

import pytest
from server_process import PIPELINES, serving

MOST_MODULES = 1150
"""220 are ours, and 420 those of SQLAlchemy, graphql-core, Strawberry and Pydantic."""
NEEDLESS = (
    "IPython",
    "aiohttp",
    "anthropic",
    "anyio._backends._trio",
    "genai_prices",
    "google",
    "h11",
    "httpx",
    "httpx2",
    "jsonschema",
    "matplotlib",
    "numpy",
    "obstore",
    "openai",
    "pdb",
    "pkg_resources",
    "psutil",
    "psycopg",
    "pydantic_ai",
    "pygments",
    "requests",
    "rich",
    "runcast.examples",
    "runcast.server.history_command",
    "setuptools",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.ext",
    "sqlalchemy.orm",
    "strawberry.asgi",
    "strawberry.cli",
    "strawberry.extensions.tracing",
    "strawberry.subscriptions",
    "strawberry.tools",
    "tkinter",
    "unittest",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.websockets.websockets_impl",
    "uvicorn.protocols.websockets.wsproto_impl",
    "wsproto",
    "xml",
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules of a server that has answered, and of the process that reads its pipelines."""
    folder = tmp_path_factory.mktemp("imports")
    pipelines = folder / "pipelines"
    pipelines.mkdir()
    (pipelines / "echo.yaml").write_text((PIPELINES / "echo.yaml").read_text())
    with serving(folder, "--pipelines", str(pipelines), PYTHONPROFILEIMPORTTIME="1") as server:
        answer = server.client.post("/graphql", json={"query": "{ pipelines { id } }"})
        assert answer.json() == {"data": {"pipelines": [{"id": "echo"}]}}
        said = server.complained
    return set(re.findall(r"^import time: .*\| +(\S+)$", said, re.MULTILINE))


def test_a_start_imports_no_more_modules_than_its_budget(imported: set[str]) -> None:
    """Who adds a dependency sees how much it brings along."""
    assert {"runcast.server.serve", "sqlalchemy", "graphql"} <= imported
    assert len(imported) <= MOST_MODULES


def test_a_start_imports_nothing_it_does_not_need(imported: set[str]) -> None:
    """What stages, other servers, other databases and other commands need is not imported."""
    assert not {name for name in imported if name.startswith(tuple(f"{one}." for one in NEEDLESS))}
    assert imported.isdisjoint(NEEDLESS)
