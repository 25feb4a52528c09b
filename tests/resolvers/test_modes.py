"""How a mode is chosen, from the environment and from what a caller asks for."""

from pathlib import Path

import pytest
from runcast.core.errors import InvalidInput
from runcast.resolvers.context import Context
from runcast.resolvers.modes import checked_mode, default_mode


@pytest.mark.parametrize(
    ("environ", "mode"),
    [({}, "cli"), ({"ANTHROPIC_API_KEY": ""}, "cli"), ({"ANTHROPIC_API_KEY": "k"}, "api")],
)
def test_default(environ: dict[str, str], mode: str) -> None:
    """API mode is the default where there is a key; an empty key is none."""
    assert default_mode(environ) == mode


@pytest.mark.parametrize("tool", ["claude", "opencode", "aider"])
async def test_known_tool(context: Context, folder_of_tools: Path, tool: str) -> None:
    """A known tool that is on the PATH is accepted."""
    (folder_of_tools / tool).write_text("#!/bin/sh\n")
    (folder_of_tools / tool).chmod(0o755)
    assert checked_mode(context, "cli", tool) == "cli"


@pytest.mark.parametrize("tool", ["ls", "sh", "/bin/ls", "claude ", "", "../claude"])
async def test_unknown_tool(context: Context, folder_of_tools: Path, tool: str) -> None:
    """Any other name is refused, whatever there is on the PATH."""
    with pytest.raises(InvalidInput, match="use one of claude, opencode, aider") as refused:
        checked_mode(context, "cli", tool)
    assert refused.value.path == ("cliTool",)


async def test_missing_tool(context: Context) -> None:
    """A known tool that is not there is refused by name."""
    with pytest.raises(InvalidInput, match="'aider' is not available: it is not on"):
        checked_mode(context, "cli", "aider")
