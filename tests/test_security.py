"""`docs/security.md` names what there is."""

import re
from pathlib import Path

import pytest
import runcast
from runcast.server.settings import Settings

ROOT = Path(runcast.__file__).parent
PAPER = (ROOT / "docs" / "security.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAPER.splitlines()
    if line.startswith("| ")
]
THREATS = [row for row in ROWS if row[0] != "threat"]


@pytest.mark.parametrize("row", THREATS, ids=[row[0] for row in THREATS])
def test_a_threat(row: list[str]) -> None:
    """Each has a limit and a test, and perhaps a setting; these exist."""
    _, limit, setting, test = row
    flags = re.findall(r"`--([a-z-]+)", setting)
    files = re.findall(r"`([a-z0-9_/]+\.py)`", test)
    assert limit and files
    assert {flag.replace("-", "_") for flag in flags} <= set(Settings.model_fields)
    assert [file for file in files if not (ROOT / "tests" / file).is_file()] == []
