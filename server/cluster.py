"""The broker that servers and workers of one cluster share."""

import asyncio
import logging
import socket
from os import getpid

from ..core.engines.cluster.broker import Broker
from ..core.errors import InvalidInput
from .process_settings import ProcessSettings

NO_CLIENT = "--engine needs the NATS client: pip install 'runcast[nats]'"


def broker_of(settings: ProcessSettings) -> Broker:
    """The one that the settings name; it is connected as a context manager.

    Raises:
        InvalidInput: its client is not installed, or a setting makes no sense.
    """
    try:
        # Processes that have no broker need not wait for its client.
        from ..core.engines.jetstream.broker import JetStreamBroker
        from ..core.engines.jetstream.settings import JetStreamSettings
    except ModuleNotFoundError as error:
        if error.name not in ("nats", "nkeys"):
            raise
        raise InvalidInput(NO_CLIENT) from None
    assert settings.engine is not None, "whoever has no broker does not ask"
    try:
        where = JetStreamSettings(
            settings.engine,
            namespace=settings.namespace,
            credentials=settings.credentials,
            ca=settings.ca,
            replicas=settings.stream_replicas,
            lease_seconds=settings.lease,
        )
    except ValueError as error:
        raise InvalidInput(f"--engine: {error}") from None
    return JetStreamBroker(where)


def check_broker(settings: ProcessSettings) -> None:
    """Tries once to connect, before anything else is begun; one that is not there may come later.

    Raises:
        BrokerRefused: there is no use in trying again; the message says why.
        InvalidInput: as in `broker_of`.
    """

    async def connected() -> None:
        async with broker_of(settings):
            pass

    # That the broker is not there is said by the one that waits for it.
    logging.disable()
    try:
        asyncio.run(connected())
    finally:
        logging.disable(logging.NOTSET)


def process_name() -> str:
    """Tells this process from others of the cluster: `host-4711`."""
    return f"{socket.gethostname()}-{getpid()}"
