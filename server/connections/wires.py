"""The connections of one server, as uvicorn asks for them."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from .http import HttpConnection
from .wire import Shared, Wire


def wires(shared: Shared) -> Callable[..., Wire]:
    """What uvicorn calls for each, with arguments of these names: it begins as HTTP."""

    def made(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Wire:
        return Wire(HttpConnection(config, server_state, app_state, _loop), shared)

    return made
