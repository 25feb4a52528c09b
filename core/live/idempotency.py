"""Which execution an idempotency key stands for."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Conflict
from .request import StartRequest


class IdempotencyKeys:
    """A key belongs to one request and one execution, for as long as the execution is live."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[str, str]] = {}
        self._keys: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, request: StartRequest) -> str | None:
        """The execution that the same request with the same key has started.

        Raises:
            Conflict: the key belongs to another request.
        """
        if request.idempotency_key is None or request.idempotency_key not in self._claims:
            return None
        digest, execution_id = self._claims[request.idempotency_key]
        if digest != request.digest():
            raise Conflict(
                f"the idempotency key belongs to {execution_id}, which was started with other "
                "arguments",
                path=["options", "idempotencyKey"],
            )
        return execution_id

    @contextmanager
    def claim(self, request: StartRequest, execution_id: str) -> Iterator[None]:
        """The key stands for the execution, unless the block, which starts it, fails."""
        key = request.idempotency_key
        if key is not None:
            self._claims[key] = (request.digest(), execution_id)
            self._keys[execution_id] = key
        try:
            yield
        except BaseException:
            self.forget(execution_id)
            raise

    def forget(self, execution_id: str) -> None:
        """The execution has left; its key is free again."""
        key = self._keys.pop(execution_id, None)
        if key is not None:
            del self._claims[key]
