"""How an endpoint says to the connection below it that its client may be here."""

from starlette.types import Scope


def admit(scope: Scope, message_bytes: int = 0) -> None:
    """The client is no stranger any more; a message of its socket may have so many bytes.

    Nothing happens under a server that has not put `admit` into the state of the scope.
    """
    if say := scope.get("state", {}).get("admit"):
        say(message_bytes)
