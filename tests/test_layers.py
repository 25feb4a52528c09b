"""Which room may import which."""

import os
import subprocess
import sys
from pathlib import Path

import runcast

ROOT = Path(runcast.__file__).parent
LINTER = Path(sys.executable).with_name("lint-imports")


def test_layers_hold(tmp_path: Path) -> None:
    """Every contract of pyproject.toml on who imports whom is kept."""
    # In a process of its own: it disables every logger that there is in its process. And not in the
    # root, which it would put on sys.path: `core` there is not `runcast.core`.
    linted = subprocess.run(
        [LINTER, "--no-cache", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.fspath(ROOT.parent)},
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
