"""Everything that can be set, once: flags, environment variables, defaults and their help."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from ..core.live.manager import MEMORY_BYTES, RETENTION_SECONDS
from ..schema.limits import Limits
from .host import Host, origin
from .process_settings import ProcessSettings
from .proxies import is_prefix

LIMITS = tuple(Limits.model_fields)


class Settings(Limits, ProcessSettings):
    """How a server runs. Each is a flag of `runcast serve` and a variable `RUNCAST_…`."""

    host: str = Field("127.0.0.1", description="the address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="the port to listen on; 0 takes a free one"
    )
    retention: Annotated[float, Field(ge=0, le=86_400)] = Field(
        RETENTION_SECONDS,
        description="how long an execution stays in the lists after its end, in seconds",
    )
    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] = Field(
        16, description="how many executions run at a time"
    )
    queue: Annotated[int, Field(ge=0, le=100_000)] = Field(
        1000, description="how many more may wait for their turn"
    )
    memory: Annotated[int, Field(ge=16, le=1 << 20)] = Field(
        MEMORY_BYTES >> 20,
        description="how many MiB the executions in the lists may take together; beyond that "
        "nothing is started until some have left",
    )
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        4000,
        description="how many connections there may be; fewer if the system grants too few "
        "descriptors (ulimit -n)",
    )
    max_strangers: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1000,
        description="how many of them may be of clients that have not yet shown the token or, "
        "where there is none, sent a request; beyond that the oldest idle one is closed",
    )
    token: SecretStr | None = Field(
        None, description="what clients must send as `Authorization: Bearer …`"
    )
    insecure: bool = Field(
        False, description="listen beyond this machine without a token all the same"
    )
    allow_origin: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="an origin (`https://host`) whose pages may use the server, though they come "
        "from elsewhere; several are separated by commas",
    )
    allow_host: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="a name (`runs.example.org`) by which clients ask for the server, such as that "
        "of a proxy before it; several are separated by commas",
    )
    root_path: str = Field(
        "",
        description="the path (`/runcast`) below which a proxy shows the server, whether or not it "
        "takes that off",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="an address or a network (`10.0.0.0/8`) of proxies of which X-Forwarded-For, "
        "-Proto and -Prefix are believed; several are separated by commas",
    )
    introspection: bool | None = Field(
        None,
        description="GraphQL: clients may ask for the schema, and errors suggest names; if left "
        "out, only on a server that nobody else can reach",
    )
    debug: bool = Field(False, description="show tracebacks of failed stages to clients")

    @property
    def introspects(self) -> bool:
        """Whether clients may see the schema."""
        return self.loopback if self.introspection is None else self.introspection

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @field_validator("token")
    @classmethod
    def _fits_into_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        said = "" if token is None else token.get_secret_value()
        if token is not None and not (said and said.isascii() and said.isprintable()):
            raise ValueError("a token must be printable ASCII: it travels in a header")
        return token

    @field_validator("allow_origin", mode="before")
    @classmethod
    def _are_origins(cls, said: str | Sequence[str]) -> tuple[str, ...]:
        return tuple(map(_origin, _words(said)))

    @field_validator("allow_host", mode="before")
    @classmethod
    def _are_hosts(cls, said: str | Sequence[str]) -> tuple[str, ...]:
        return tuple(map(_host, _words(said)))

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_networks(cls, said: str | Sequence[str]) -> tuple[str, ...]:
        return tuple(map(_network, _words(said)))

    @field_validator("root_path")
    @classmethod
    def _is_a_path(cls, said: str) -> str:
        path = said.rstrip("/")
        if path and not is_prefix(path):
            raise ValueError("a path is needed, such as /runcast")
        return path

    @model_validator(mode="after")
    def _is_guarded(self) -> "Settings":
        if not (self.loopback or self.token or self.insecure):
            raise ValueError(
                f"{self.host} can be reached from elsewhere: set --token (or RUNCAST_TOKEN), or "
                "--insecure if everybody there may start and stop executions"
            )
        return self


def _words(said: str | Sequence[str]) -> list[str]:
    texts = [said] if isinstance(said, str) else said
    words = (word.strip() for text in texts for word in text.split(","))
    return [word for word in words if word]


def _origin(text: str) -> str:
    """An origin as browsers send it. With `*` or `null` any page at all could start executions."""
    found = origin(text)
    if found is None:
        raise ValueError(f"{text} is not an origin, such as https://example.org")
    return found


def _host(text: str) -> str:
    found = Host.parse(text)
    if found is None:
        raise ValueError(f"{text} is not the name of a host, such as runs.example.org")
    return found.name if found.port is None else f"{found.name}:{found.port}"


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(
            f"{text} is neither an address nor a network, such as 10.0.0.0/8"
        ) from None
