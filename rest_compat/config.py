"""`/api/config/status`: section 3 of the REST contract."""

from starlette.requests import Request
from starlette.responses import Response

from ..resolvers.context import Context
from ..resolvers.modes import has_api_key
from ..resolvers.tools import CliTools, ToolState
from .answers import answer


async def config_status(ctx: Context, tools: CliTools, request: Request) -> Response:
    """Whether there is a key, never the key itself, and which commands are at hand."""
    states = await tools.states()
    return answer(
        {
            "hasApiKey": has_api_key(ctx),
            "cliTools": {name: _tool(state) for name, state in states.items()},
        }
    )


def _tool(state: ToolState) -> dict[str, object]:
    shown: dict[str, object] = {"available": state.available}
    if state.version is not None:
        shown["version"] = state.version
    if state.error is not None:
        shown["error"] = state.error
    return shown
