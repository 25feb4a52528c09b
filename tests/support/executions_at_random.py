"""Executions, values and texts as Hypothesis makes them up."""

from typing import Any

from hypothesis import strategies as st
from runcast.core.execution.model import (
    Cancellation,
    EndReason,
    Execution,
    Failure,
    RunOptions,
    StageAttempt,
    StageRun,
    StageStatus,
    StartKey,
    Status,
    Usage,
)
from runcast.core.execution.stage_log import StageLog
from runcast.core.execution.stored import StoredValue

# Half surrogate pairs and NUL are among them.
TEXTS = st.text(st.characters(), max_size=20)
TIMES = st.integers(0, 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def optional(some: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | some


FAILURES = st.builds(Failure, TEXTS, TEXTS, optional(TEXTS), optional(TEXTS))
STORED_VALUES = st.builds(StoredValue, TEXTS, TIMES, TEXTS, st.booleans())
STORED_TEXTS = st.builds(StoredValue, TEXTS, TIMES, TEXTS)
VALUES = JSON_VALUES | STORED_VALUES
LOGS = st.builds(StageLog, TIMES, TIMES, head=TEXTS, of_value=st.booleans())
"""As they are in a record: what of them is in memory does not go there."""
ATTEMPTS = st.builds(
    StageAttempt,
    st.integers(1, 6),
    TIMES,
    st.sampled_from(StageStatus),
    optional(TIMES),
    optional(FAILURES),
)
STAGE_RUNS = st.builds(
    StageRun,
    id=TEXTS,
    name=TEXTS,
    type=TEXTS,
    status=st.sampled_from(StageStatus),
    attempt=st.integers(0, 5),
    started_at=optional(TIMES),
    ended_at=optional(TIMES),
    skip_reason=optional(TEXTS),
    model=optional(TEXTS),
    usage=st.builds(Usage, TIMES, TIMES, FLOATS),
    log=LOGS,
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
    progress=optional(FLOATS),
    next_attempt_at=optional(TIMES),
    value=VALUES,
    value_dropped=st.booleans(),
    error=optional(FAILURES),
)
EXECUTIONS = st.builds(
    Execution,
    id=TEXTS,
    pipeline_id=TEXTS,
    pipeline_name=TEXTS,
    input=TEXTS | STORED_TEXTS,
    input_preview=TEXTS,
    started_at=TIMES,
    stages=st.lists(STAGE_RUNS, max_size=3).map(tuple),
    status=st.sampled_from(Status),
    began_at=optional(TIMES),
    end_reason=optional(st.sampled_from(EndReason)),
    ended_at=optional(TIMES),
    current_stage=st.integers(0, 3),
    labels=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    options=st.builds(RunOptions, optional(TIMES), optional(TEXTS), optional(TEXTS)),
    output=VALUES,
    error=optional(FAILURES),
    cancellation=optional(
        st.builds(
            Cancellation, TIMES, optional(TEXTS), optional(TIMES), st.booleans(), optional(TEXTS)
        )
    ),
    retry_of=optional(TEXTS),
    start_key=optional(st.builds(StartKey, TEXTS, st.text("0123456789abcdef", max_size=64))),
    return_stage=optional(TEXTS),
    sequence=st.integers(1, 1000),
)
