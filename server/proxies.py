"""Where a request comes from and what it asks for, as a proxy that passed it on says."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

PREFIX = re.compile(r"(?:/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)+")


class BehindProxies:
    """An application that is asked through proxies, at the root of a host or below a prefix.

    `root_path` is the prefix, or `""`. Of the addresses and networks `trusted`, and of nobody else,
    `X-Forwarded-Prefix`, `-Proto` and `-For` are believed; a prefix that is told takes the place
    of `root_path`. The proxy may take the prefix off the path or leave it there. The host must
    come as `Host`.
    """

    def __init__(self, app: ASGIApp, root_path: str = "", trusted: Sequence[str] = ()) -> None:
        self._app = app
        self._root_path = root_path
        self._networks = [ipaddress.ip_network(each) for each in trusted]
        self._behind = cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), list(trusted)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        client = _unmapped(scope.get("client"))
        trusted = self._trusts(client)
        prefix = (_told_prefix(scope) if trusted else None) or self._root_path
        if prefix and scope["type"] == "http" and scope["path"] == prefix:
            # The page's addresses are relative: they are to be found from behind the slash.
            query = scope["query_string"].decode("latin-1")
            there = prefix.rpartition("/")[2] + "/" + ("?" + query if query else "")
            await RedirectResponse(there, 308)(scope, receive, send)
            return
        inner = {**scope, "client": client} | _placed(scope["path"], prefix)
        await (self._behind if trusted else self._app)(inner, receive, send)

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def route_path(scope: Scope) -> str:
    """The path below the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_prefix(text: str) -> bool:
    """Whether it is a path without dots before its names, and without a slash at its end."""
    return PREFIX.fullmatch(text) is not None


def _told_prefix(scope: Scope) -> str | None:
    told = Headers(scope=scope).getlist("x-forwarded-prefix")
    prefix = told[0].strip().rstrip("/") if len(told) == 1 else ""
    return prefix if is_prefix(prefix) else None


def _placed(path: str, prefix: str) -> dict[str, str]:
    """As ASGI has it: the path with the prefix, and the prefix as the `root_path`."""
    if not prefix:
        return {}
    has_it = path.startswith(prefix + "/")
    return {"path": path if has_it else prefix + path, "root_path": prefix}


def _unmapped(client: tuple[str, int] | None) -> tuple[str, int] | None:
    """A client of IPv4 by its own address, where a socket of IPv6 has accepted it."""
    if client is None or not client[0].startswith("::ffff:"):
        return client
    mapped = ipaddress.IPv6Address(client[0]).ipv4_mapped
    return client if mapped is None else (str(mapped), client[1])
