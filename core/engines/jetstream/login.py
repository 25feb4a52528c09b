"""Connecting to one server of the broker, and what can be wrong with that."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import nats.errors
import nkeys
from nats.aio.client import Client

from ...errors import Unavailable
from ..tasks import ended
from .refused import BrokerRefused
from .settings import JetStreamSettings, Server

CONNECT_SECONDS = 2.0
CLOSE_SECONDS = 1.0
NEVER = 10**9
REFUSALS = ("authorization", "authentication", "permission")
"""Words in what a broker says of credentials that it does not like."""
JWT = "-----BEGIN NATS USER JWT-----"
SEED = "-----BEGIN USER NKEY SEED-----"
"""The lines before the two, in a file with credentials."""

logger = logging.getLogger("runcast.broker")


class EncryptingClient(Client):
    """A client that knows whether its connection is encrypted."""

    encrypts = False

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Looked up when a connection is to be encrypted, and only then."""
        self.encrypts = True
        return super().ssl_context


async def connect(
    client: EncryptingClient,
    settings: JetStreamSettings,
    server: Server,
    disconnected: Callable[[], Awaitable[None]],
) -> None:
    """Connects once. When the connection is lost, `disconnected` is called, and that was it.

    Raises:
        Unavailable: the server is not there.
        BrokerRefused: it does not let us in, or it is not who it should be.
    """
    tls = _tls(settings) if server.encrypted or settings.ca else None
    credentials = _credentials(settings.credentials)
    failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def heard(error: Exception) -> None:
        if not failure.done():
            failure.set_result(error)
            # The client would try for ever; it is ended instead, and nobody waits for that.
            await asyncio.Event().wait()
        elif isinstance(error, nats.errors.Error | OSError | TimeoutError):
            logger.debug("the connection to %s: %s", server, error)
        else:
            logger.error("what the broker has sent makes an error here", exc_info=error)

    async def connected() -> None:
        await client.connect(
            f"nats://{_location(server)}",
            name="runcast",
            error_cb=heard,
            disconnected_cb=disconnected,
            reconnect_to_server_handler=lambda servers, info: (None, NEVER),
            ping_interval=NEVER,  # `Connection` sees for itself whether the broker is there.
            pending_size=0,  # Nothing waits for another connection.
            tls=tls,
            user_credentials=credentials,
            **_login(client, server),
        )
        failure.cancel()

    connecting = asyncio.create_task(connected())
    either: list[asyncio.Future[Any]] = [connecting, failure]
    try:
        await asyncio.wait(either, timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await ended(connecting)
        try:
            connecting.result()
        except (asyncio.CancelledError, nats.errors.Error, OSError, ValueError) as error:
            raise _reason(failure.result() if failure.done() else error, server) from None
        _check_encryption(client, server)
    except BaseException:
        await ended(connecting)
        await disconnect(client)
        raise


async def disconnect(client: EncryptingClient) -> None:
    """Ends what the client does, connected or not."""
    with suppress(nats.errors.Error, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.close()


def _login(client: EncryptingClient, server: Server) -> dict[str, Any]:
    """Each is asked for when the connection is as safe as it will be."""

    def said(secret: str) -> str:
        _check_encryption(client, server)
        return secret

    secrets = {"user": server.user, "password": server.password, "token": server.token}
    return {name: partial(said, secret) for name, secret in secrets.items() if secret is not None}


def _location(server: Server) -> str:
    return str(server).partition("://")[2]


def _check_encryption(client: EncryptingClient, server: Server) -> None:
    if server.encrypted and not client.encrypts:
        raise BrokerRefused(f"the broker at {server} does not offer TLS")


def _tls(settings: JetStreamSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        raise BrokerRefused(f"{settings.ca}: {error.strerror or error}") from None


def _credentials(path: Path | None) -> Path | None:
    """The path, if there is a file of that kind; the client looks for ever for what is missing."""
    if path is None:
        return None
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise BrokerRefused(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        lines = []
    following = dict(pairwise(lines))
    try:
        assert following[JWT]
        nkeys.from_seed(following[SEED].encode()).wipe()
    except (AssertionError, KeyError, ValueError, nkeys.NkeysError):
        raise BrokerRefused(f"{path}: there is no user's JWT with its NKey in it") from None
    return path


def _reason(error: BaseException, server: Server) -> Exception:
    """Why there is no connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerRefused(f"the broker at {server} is not trusted: {error.verify_message}")
    if isinstance(error, nats.errors.Error):
        said = str(error).lower()
        if any(word in said for word in REFUSALS):
            return BrokerRefused(f"the broker at {server} refuses the credentials")
    return Unavailable(f"the broker at {server} does not answer")
