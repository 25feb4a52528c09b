"""Who may speak to a nats-server, and who it is: certificates, and JWTs as `nsc` makes them."""

import base64
import json
import os
import time
from pathlib import Path

import nkeys
import trustme

LIMITED = "conn consumer data disk_storage exports imports leaf mem_storage payload streams subs"
UNLIMITED = dict.fromkeys(LIMITED.split(), -1)
HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


class Identity:
    """An NKey."""

    def __init__(self, kind: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), kind).decode()
        self._keys = nkeys.from_seed(self.seed.encode())
        self.name: str = self._keys.public_key.decode()

    def vouches(self, other: "Identity", type: str, **claims: object) -> str:
        """A JWT: that the other one is an operator, account or user."""
        about = {"type": type, "version": 2} | claims
        now = int(time.time())
        payload = {"iss": self.name, "sub": other.name, "name": type, "iat": now, "nats": about}
        parts = [_encoded(json.dumps(part).encode()) for part in (HEADER, payload)]
        signed = ".".join(parts)
        return f"{signed}.{_encoded(self._keys.sign(signed.encode()))}"


def credentials(folder: Path) -> tuple[Path, Path]:
    """A configuration of a server, and a file with credentials that it lets in."""
    operator = Identity(nkeys.PREFIX_BYTE_OPERATOR)
    account, system = (Identity(nkeys.PREFIX_BYTE_ACCOUNT) for _ in range(2))
    user = Identity(nkeys.PREFIX_BYTE_USER)
    config = folder / "server.conf"
    config.write_text(
        f"operator: {operator.vouches(operator, 'operator')}\n"
        f"system_account: {system.name}\n"
        "resolver: MEMORY\n"
        "resolver_preload: {\n"
        f"  {system.name}: {operator.vouches(system, 'account')}\n"
        f"  {account.name}: {operator.vouches(account, 'account', limits=UNLIMITED)}\n"
        "}\n"
    )
    file = folder / "user.creds"
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{account.vouches(user, 'user', **UNLIMITED)}\n"
        "------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return config, file


def certificate(folder: Path) -> tuple[tuple[str, ...], Path]:
    """The flags of a server on 127.0.0.1 that speaks TLS only, and who has signed that."""
    authority, ca = trustme.CA(), folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    server = authority.issue_cert("127.0.0.1")
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    server.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    flags = ("--tls", "--tlscert", str(folder / "cert.pem"), "--tlskey", str(folder / "key.pem"))
    return flags, ca


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
