"""Commands that a test writes, to be found on a PATH."""

import sys
from pathlib import Path


def a_tool(folder: Path, name: str, *lines: str) -> Path:
    """A command that does what `lines` of Python say."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join([f"#!{sys.executable}", "import os, sys, time", *lines]))
    path.chmod(0o755)
    return path
