"""What can be set for every process that runs or shows executions."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..core.history import MAX_BYTES, MAX_RECORDS
from ..core.results.files import LOG_MAX_BYTES
from ..core.running.stages import GRACE_SECONDS

SHIPPED = Path(__file__).parents[1] / "examples"
"""The pipelines that runcast brings along."""


NO_BLOBS = (
    "with --engine, --blobs names the folder in which all servers and workers store logs and large "
    "values"
)


def default_data() -> Path:
    """The data folder, unless another one is set."""
    return Path.home() / ".local" / "share" / "runcast"


class ProcessSettings(BaseSettings):
    """Of a server or a worker. Each is a flag of its command and a variable `RUNCAST_…`."""

    model_config = SettingsConfigDict(env_prefix="RUNCAST_", frozen=True)

    pipelines: Path | None = Field(
        None, description="the folder with the pipeline files; those that runcast ships if left out"
    )
    data: Path = Field(
        default_factory=default_data,
        description="the data folder: the history and the result files; each process has its own",
    )
    database: SecretStr | None = Field(
        None,
        title="URL",
        description="the PostgreSQL database of the history, such as postgresql://user@host/name, "
        "instead of a file in the data folder; several servers may share it",
    )
    history_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        MAX_RECORDS, description="how many ended executions the history stores"
    )
    history_mb: Annotated[int, Field(ge=1, le=1 << 20)] = Field(
        MAX_BYTES >> 20,
        description="how many MiB the database of the history may take: the oldest executions go",
    )
    history_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        90, description="how many days the history goes back"
    )
    grace: Annotated[float, Field(ge=0, le=60)] = Field(
        GRACE_SECONDS,
        description="how long a cancelled stage has to end by itself, in seconds",
    )
    log_max: Annotated[int, Field(ge=1 << 16, le=1 << 40)] = Field(
        LOG_MAX_BYTES,
        description="how many bytes of the log of one attempt are stored: of more, its beginning "
        "and its end",
    )
    engine: str | None = Field(
        None,
        title="URL",
        description="the broker (nats://host:4222) over which servers and workers share "
        "executions; a server without it runs them itself",
    )
    blobs: Path | None = Field(
        None,
        description="with --engine: the folder for logs and large values, which all servers and "
        "workers share",
    )
    namespace: str = Field(
        "runcast",
        description="with --engine: servers and workers of one namespace belong together",
    )
    stream_replicas: Annotated[int, Field(ge=1, le=5)] = Field(
        1,
        description="with --engine: how many servers of the broker store everything; counts when "
        "it is created",
    )
    lease: Annotated[float, Field(ge=0.5, le=300)] = Field(
        5.0,
        description="with --engine: how long a worker may be silent until others go on with what "
        "it runs, in seconds; counts when the broker's streams are created",
    )
    credentials: Path | None = Field(
        None, description="with --engine: a file with the JWT and the key for the broker"
    )
    ca: Path | None = Field(
        None, description="with --engine: who has signed the broker's certificate (PEM)"
    )

    @property
    def pipelines_folder(self) -> Path:
        """The folder with the pipeline files."""
        return self.pipelines or SHIPPED

    @property
    def has_history(self) -> bool:
        """Whether executions are stored beyond their time in the lists. A file is of one process,
        and those of a cluster have none in common."""
        return self.engine is None or self.database is not None

    @property
    def shared(self) -> Path | None:
        """The folder for logs and values, if it is not this process's own."""
        return None if self.engine is None else self.blobs

    @field_validator("pipelines")
    @classmethod
    def _is_a_folder(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
        return folder

    @field_validator("data", "blobs")
    @classmethod
    def _can_be_made(cls, folder: Path | None) -> Path | None:
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{folder} cannot be used: {error.strerror}") from None
        return folder

    @field_validator("database")
    @classmethod
    def _is_of_postgres(cls, database: SecretStr | None) -> SecretStr | None:
        if database is not None:
            try:
                from ..core.history.postgres_connection import place_of
            except ImportError:
                raise ValueError("PostgreSQL needs `pip install 'runcast[postgres]'`") from None
            place_of(database.get_secret_value())
        return database

    @field_validator("engine")
    @classmethod
    def _is_a_broker(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("nats://", "tls://")):
            raise ValueError("a broker's URL is like nats://host:4222 or tls://host:4222")
        return url

    @model_validator(mode="after")
    def _has_blobs(self) -> "ProcessSettings":
        if self.engine is not None and self.blobs is None:
            raise ValueError(NO_BLOBS)
        return self
