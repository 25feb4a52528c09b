"""The history that a server or a worker has, as its settings say."""

from collections.abc import Callable

from ..core.clock import Clock
from ..core.history import History
from ..core.history.record_files import RecordFiles
from .process_settings import ProcessSettings

SECONDS_A_DAY = 86_400


def history_of(
    settings: ProcessSettings,
    clock: Clock,
    files: RecordFiles | None,
    hold: Callable[[], None] | None = None,
) -> History:
    """In the database, or in the data folder if there is none; see `History`."""
    database = settings.database
    return History(
        settings.data,
        clock,
        max_records=settings.history_max,
        max_bytes=settings.history_mb << 20,
        max_age_seconds=settings.history_days * SECONDS_A_DAY,
        files=files,
        hold=hold,
        database=None if database is None else database.get_secret_value(),
    )
