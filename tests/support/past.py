"""What executions have been, without a disk."""

from runcast.core.execution.model import Execution


class Memory:
    """Implements `Past`. `problem` is raised by whoever asks, once it is set."""

    def __init__(self, *executions: Execution) -> None:
        self.executions = list(executions)
        self.problem: Exception | None = None

    async def started_by(self, key: str) -> Execution | None:
        if self.problem is not None:
            raise self.problem
        found = (one for one in self.executions if one.start_key and one.start_key.key == key)
        return next(found, None)
