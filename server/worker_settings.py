"""What can be set for a worker."""

from typing import Annotated

from pydantic import Field, model_validator

from .process_settings import ProcessSettings


class WorkerSettings(ProcessSettings):
    """How a worker runs. Each is a flag of `runcast worker` and a variable `RUNCAST_…`."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] = Field(
        16, description="how many executions run here at a time"
    )
    shutdown_grace: Annotated[float, Field(ge=0, le=3600)] = Field(
        3.0,
        description="how long what runs may go on when the worker is told to stop, in seconds; "
        "what has not ended then goes on elsewhere",
    )
    host: str = Field("127.0.0.1", description="the address for /healthz and /readyz")
    port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="the port for /healthz and /readyz, which there are none of if left out"
    )

    @model_validator(mode="after")
    def _has_a_broker(self) -> "WorkerSettings":
        if self.engine is None:
            raise ValueError("a worker needs --engine, the broker's URL (nats://host:4222)")
        return self
