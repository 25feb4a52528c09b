"""A reverse proxy: it shows a server at an address of its own, at its root or below a prefix."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

Rewrites = Callable[[str], str]


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def reverse_proxy(
    url: str, *, strip: str = "", host: str | None = None, adds: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Its URL. It takes `strip` off paths, sets Host to `host` if given, and adds headers.

    Each connection carries one request, or one socket.
    """
    target = urlsplit(url)

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            if head:
                self._pass_on(_rewritten(head.decode("latin-1"), strip, host, adds or {}))

        def _pass_on(self, head: str) -> None:
            with socket.create_connection((target.hostname or "", target.port or 80)) as there:
                there.sendall(head.encode("latin-1"))
                threading.Thread(
                    target=_copied, args=(self.rfile.read1, there), daemon=True
                ).start()
                with suppress(OSError):
                    while data := there.recv(1 << 16):
                        self.wfile.write(data)
                with suppress(OSError):
                    # Nobody would wake up who still reads, and hold up the end of the connection.
                    self.connection.shutdown(socket.SHUT_RDWR)

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _copied(read: Callable[[], bytes], there: socket.socket) -> None:
    # ValueError: the other direction has ended, and closed what is read.
    with suppress(OSError, ValueError):
        while data := read():
            there.sendall(data)
        there.shutdown(socket.SHUT_RDWR)


def _rewritten(head: str, strip: str, host: str | None, adds: Mapping[str, str]) -> str:
    request, *fields = head.split("\r\n")[:-1]
    method, path, version = request.split(" ")
    if strip and path.startswith(strip + "/"):
        path = path.removeprefix(strip)
    upgrades = any(field.lower().startswith("upgrade:") for field in fields)
    dropped = {"host"} if host else set()
    dropped |= set() if upgrades else {"connection"}
    kept = [field for field in fields if field.partition(":")[0].lower() not in dropped]
    kept += [f"Host: {host}"] if host else []
    kept += [] if upgrades else ["Connection: close"]
    kept += [f"{name}: {value}" for name, value in adds.items()]
    return "\r\n".join([f"{method} {path} {version}", *kept, "", ""])
