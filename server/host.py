"""The Host of a request: what it names, and which origins are its own."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::([0-9]{1,5}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Host:
    """A name in small letters, or an IPv6 address in its brackets, and a port."""

    name: str
    port: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From the value of a Host header, or None if that is malformed: RFC 9110, section 7.2."""
        found = HOST.fullmatch(text.lower())
        if found is None or int(found[3] or 0) > 65535:
            return None
        if found[1] is None:
            return cls(found[2], found[3])
        try:
            return cls(f"[{ipaddress.IPv6Address(found[1])}]", found[3])
        except ValueError:
            return None

    def origin(self, scheme: str) -> str:
        """As browsers write it: without the port that goes without saying."""
        port = "" if self.port in (None, DEFAULT_PORTS[scheme]) else f":{self.port}"
        return f"{scheme}://{self.name}{port}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Of its pages, whichever of the two schemes they come by."""
        return tuple(map(self.origin, DEFAULT_PORTS))


def origin(text: str) -> str | None:
    """An origin as browsers write it; None if the text is none, as `*` and `null` are none."""
    scheme, _, rest = text.lower().removesuffix("/").partition("://")
    host = Host.parse(rest) if scheme in DEFAULT_PORTS else None
    return None if host is None else host.origin(scheme)
