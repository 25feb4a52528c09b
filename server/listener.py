"""The socket on which a process of runcast listens."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class CannotListen(Exception):
    """Why not, in one line."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there until the end; port 0 is one that the system chooses.

    Raises:
        CannotListen: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            hint = "; take another --port" if "in use" in reason else ""
            raise CannotListen(f"cannot listen on {host}:{port}: {reason}{hint}") from None
        yield listener


def address(listener: socket.socket) -> str:
    """Host and port as they stand in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
