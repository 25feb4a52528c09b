"""What the broker answers to a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from ...errors import Unavailable
from ...json_value import loads
from ..cluster.broker import PATIENCE_SECONDS

NO_RESPONDERS = "503"


class Code(IntEnum):
    """Errors of JetStream that mean something here; `errors.json` of nats-server has them all."""

    NO_CONSUMER = 10014
    NO_MESSAGE = 10037
    NOT_ENABLED_FOR_ACCOUNT = 10039
    NO_STREAM = 10059
    WRONG_LAST_SEQUENCE = 10071
    NOT_ENABLED = 10076
    SUBJECT_IS_FULL = 10077
    WRONG_LAST_SEQUENCE_IS_UNKNOWN = 10164


class Rejected(Unavailable):
    """JetStream answers with an error. Where it has no other meaning, it cannot do it now."""

    def __init__(self, number: int, description: str) -> None:
        super().__init__(f"the broker cannot do it: {description}")
        self.number = number
        self.description = description


class NobodyAnswers(Unavailable):
    """The broker is there, and nobody in it who would answer to that."""

    def __init__(self) -> None:
        super().__init__("the broker does not have what was asked")


@asynccontextmanager
async def patience(seconds: float = PATIENCE_SECONDS) -> AsyncIterator[None]:
    """
    Raises:
        Unavailable: what is done inside takes too long, or the client says that it cannot be done.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise Unavailable("the broker does not answer") from error


def answered(message: Msg) -> Any:
    """The JSON of an answer.

    Raises:
        Rejected: it is an error.
        NobodyAnswers: what was asked is not there.
    """
    if not message.data and (message.headers or {}).get("Status") == NO_RESPONDERS:
        raise NobodyAnswers
    answer: Any = loads(message.data)
    if error := answer.get("error"):
        raise Rejected(error.get("err_code", 0), error.get("description", ""))
    return answer
