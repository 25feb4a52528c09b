"""Where the broker is, and how what is made there is to be."""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,32}")
PORT = 4222
SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the broker, and how to log in there."""

    host: str
    port: int
    encrypted: bool
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.encrypted else 'nats'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class JetStreamSettings:
    """How to reach the broker, and what to create where it is missing.

    Everything from `replicas` on counts when it is created; what is there stays as it is.

    Raises:
        ValueError: the URL or a value makes no sense; it says so without the URL's password.
    """

    url: str = field(repr=False)
    """`nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT]`, or `tls://`; several with commas between."""
    namespace: str = "runcast"
    """Clusters of different namespaces do not see each other."""
    credentials: Path | None = None
    """A file with a JWT and its NKey, as `nsc` writes it."""
    ca: Path | None = None
    """Whoever signed the broker's certificate, if the system does not know them (PEM)."""
    replicas: int = 1
    """How many servers of the broker have everything; 1, 3 or 5."""
    shards: int = 16
    """In how many parts the subjects of runs and events are divided."""
    lease_seconds: float = 5.0
    log_seconds: float = 600.0
    """How long the log goes back. Whoever was away for longer reads all records anew."""

    def __post_init__(self) -> None:
        if not NAMESPACE.fullmatch(self.namespace):
            raise ValueError("a namespace is 1 to 32 letters, digits, _ and -")
        if self.replicas not in range(1, 6):
            raise ValueError("there can be 1 to 5 replicas")
        if self.shards < 1:
            raise ValueError("there must be at least one shard")
        if not self.servers:
            raise ValueError("the URL of the broker is empty")

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(_server(one.strip()) for one in self.url.split(",") if one.strip())

    @property
    def address(self) -> str:
        """The URL without what is secret in it."""
        return ",".join(map(str, self.servers))

    def tls(self) -> ssl.SSLContext:
        """
        Raises:
            OSError: `ca` cannot be read, or is no certificate.
        """
        return ssl.create_default_context(cafile=self.ca)


def _server(url: str) -> Server:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL of the broker is malformed") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError("the URL of the broker must be like nats://host:4222 or tls://host:4222")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("the URL of the broker ends after the port")
    return Server(parts.hostname, port or PORT, parts.scheme == "tls", **_login(parts))


def _login(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    user = unquote(parts.username)
    if parts.password is None:
        return {"token": user}
    return {"user": user, "password": unquote(parts.password)}
