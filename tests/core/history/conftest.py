"""The databases that a history can be in."""

from pathlib import Path

import pytest
from history_database import HistoryDatabase

EACH = ["sqlite", "postgresql"]


@pytest.fixture(params=EACH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> HistoryDatabase:
    """An empty one of each kind."""
    return _empty(request, tmp_path)


@pytest.fixture(scope="module", params=EACH)
def lasting_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> HistoryDatabase:
    """One of each kind for all tests of a file, for it takes a while to make one."""
    return _empty(request, tmp_path_factory.mktemp("history"))


def _empty(request: pytest.FixtureRequest, folder: Path) -> HistoryDatabase:
    if request.param == "sqlite":
        return HistoryDatabase(folder)
    return HistoryDatabase(folder, request.getfixturevalue("postgres").new_schema())
