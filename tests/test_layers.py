"""Which room may import which."""

import os
from pathlib import Path

import pytest
import runcast
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(runcast.__file__).parent


def test_layers_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every contract of pyproject.toml on who imports whom is kept."""
    # import-linter puts the working directory on sys.path, where `core` is not `runcast.core`.
    monkeypatch.syspath_prepend(os.fspath(ROOT.parent))
    config = os.fspath(ROOT / "pyproject.toml")
    status = lint_imports(config_filename=config, no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out
