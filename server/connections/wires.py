"""The connections of one server."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from .http import HttpConnection
from .wire import Shared, Wire


class Wires:
    """Makes them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def made(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Wire:
        """A connection that begins as HTTP; uvicorn calls this, with arguments of these names."""
        return Wire(HttpConnection(config, server_state, app_state, _loop), self._shared)
