"""How prompt stages reach their language model: an API with a key, or a command on this machine."""

import shutil

from ..core.errors import InvalidInput
from ..core.running.stages.prompt import API, CLI, default_mode
from ..core.running.stages.tools import TOOLS
from .context import Context

MODES = (API, CLI)
CLI_TOOLS = tuple(TOOLS)


def has_api_key(ctx: Context) -> bool:
    """Whether a language model can be reached without a command."""
    return default_mode(ctx.environ) == API


def checked_mode(ctx: Context, mode: str | None, tool: str | None) -> str:
    """The mode to run in.

    Raises:
        InvalidInput: the mode or the tool is unknown, or not available here.
    """
    path = ["options", "executionMode"]
    if mode is None:
        mode = default_mode(ctx.environ)
    elif mode not in MODES:
        raise InvalidInput(f"unknown executionMode {mode!r}: use one of api, cli", path=path)
    elif mode == API and not has_api_key(ctx):
        raise InvalidInput("API mode requires ANTHROPIC_API_KEY environment variable", path=path)
    if tool is not None and mode == CLI:
        _check_tool(ctx, tool)
    return mode


def _check_tool(ctx: Context, tool: str) -> None:
    # Only known names: what a client sends is never run as a command.
    if tool not in CLI_TOOLS:
        reason = f"use one of {', '.join(CLI_TOOLS)}"
    elif shutil.which(tool, path=ctx.environ.get("PATH")) is None:
        reason = "it is not on the server's PATH"
    else:
        return
    raise InvalidInput(f"CLI tool {tool!r} is not available: {reason}", path=["cliTool"])
