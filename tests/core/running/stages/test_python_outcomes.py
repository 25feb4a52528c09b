"""What comes of a function: its value, its exception, or that there is none of that name."""

from collections.abc import AsyncIterator

import pytest
from runcast.core.json_value import dumps
from runcast.core.running.contents import content
from runcast.core.running.stages.python import PythonRunner
from runcast.core.running.workers.pool import WorkerPool
from stage_attempts import FUNCTIONS, STORES, failure, python_call

WAYS = ["at_once", "later"]

pytestmark = pytest.mark.usefixtures("leaves_no_task")


@pytest.fixture
def anyio_backend() -> str:
    """What a function returns or raises is the same on every loop."""
    return "asyncio"


@pytest.fixture
async def runner(anyio_backend: str) -> AsyncIterator[PythonRunner]:
    async with WorkerPool(max_idle=1) as pool:
        yield PythonRunner(pool)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ValueError", "no good"),
        ("Speechless", "Speechless, which cannot say what it is"),
        ("SystemExit", "3"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("GeneratorExit", "GeneratorExit"),
        ("UnicodeError", "half a pair: ?"),
    ],
)
async def test_whatever_a_function_raises_fails_its_stage(
    runner: PythonRunner, way: str, name: str, message: str
) -> None:
    """And nothing else: type, message and traceback are the exception's, as text in UTF-8."""
    error = await failure(runner, python_call(f"raising_steps:{way}", input=name))
    assert (error.type, error.message, error.retryable) == (name, message, True)
    assert f"in {way}" in str(error.traceback)
    assert dumps([error.message, error.traceback])


@pytest.mark.parametrize("way", WAYS)
async def test_a_long_complaint_is_cut(runner: PythonRunner, way: str) -> None:
    """An exception with a message of 10 MB is told in less than a megabyte."""
    error = await failure(runner, python_call(f"raising_steps:{way}", input="MemoryError"))
    assert error.type == "MemoryError"
    assert len(error.message) + len(str(error.traceback)) < 1_000_000


REASONS = {
    "nan": "not JSON compliant",
    "100001 digits": "an integer has 100001 digits, and 100000 is the limit",
    "a billion bits": "digits, and 100000 is the limit",
    "nested 201": "nested more than 200 deep",
    "nested 100000": "nested more than",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name",
    [
        *("object", "module", "nan", "infinity", "nan beside 5000 digits", "surrogate"),
        *("100001 digits", "a billion bits", "nested 201", "nested 300"),
        *("nested 100000", "itself"),
    ],
)
async def test_what_is_not_json_is_refused(runner: PythonRunner, way: str, name: str) -> None:
    """Or cannot be passed on; another attempt would not help, and the worker goes on."""
    error = await failure(runner, python_call(f"returning_steps:{way}", input=name))
    assert (error.type, error.retryable) == ("NotJSON", False)
    assert error.message.startswith("the function returned ")
    assert REASONS.get(name, "") in error.message
    assert len(error.message) < 1000


EXACT = {
    "64 bits": [2**64 - 1, -(2**63)],
    "70 bits": 2**70,
    "400 digits": 10**400,
    "5000 digits": -(10**5000),
    "100000 digits": 10**99_999,
    "floats": [-0.0, 1.0, 1, 5e-324],
    "keys": {"b": 1, "a": {"z": 2**64, "y": 0}, "": -0.0},
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_too_large_is_refused(runner: PythonRunner, way: str) -> None:
    """100 MB, where 64 MiB is the limit of the stage; another attempt would not help."""
    error = await failure(runner, python_call(f"returning_steps:{way}", input="100 MB"))
    assert (error.type, error.retryable) == ("OutputTooLarge", False)
    assert "100,000,000 bytes" in error.message and "maxOutputBytes" in error.message


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EXACT)
async def test_json_is_passed_on_as_it_is(runner: PythonRunner, way: str, name: str) -> None:
    """To the last digit, the sign of a zero, and the order of keys; and to the next function."""
    result = await runner.run(python_call(f"returning_steps:{way}", input=name))
    assert dumps(content(result.value, STORES)) == dumps(EXACT[name])
    outputs = {"z": result.value, "a": result.value}
    given = python_call(f"returning_steps:given_{way}", input=result.value, outputs=outputs)
    back = await runner.run(given)
    assert dumps(content(back.value, STORES)) == dumps(
        [EXACT[name], {"z": EXACT[name], "a": EXACT[name]}]
    )


@pytest.mark.parametrize("way", WAYS)
async def test_a_value_may_be_nested(runner: PythonRunner, way: str) -> None:
    """A hundred levels deep."""
    result = await runner.run(python_call(f"returning_steps:{way}", input="nested 100"))
    assert dumps(result.value) == b"[" * 100 + b'"core"' + b"]" * 100


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("no_such_steps:run", "no_such_steps cannot be imported: No module named 'no_such_steps'"),
        ("blocking_steps:no_such", "blocking_steps has no function no_such"),
        ("blocking_steps:os", "blocking_steps has no function os"),
        ("leaving_steps:run", "leaving_steps cannot be imported: 4"),
    ],
)
async def test_a_function_that_is_not_there_is_not_tried_again(
    runner: PythonRunner, call: str, message: str
) -> None:
    """Its module is missing or wants to end the process, or has no such function."""
    error = await failure(runner, python_call(call))
    assert (error.type, error.message) == ("NoSuchFunction", message)
    assert not error.retryable


@pytest.mark.parametrize("way", WAYS)
async def test_a_file_cannot_take_the_place_of_a_library(runner: PythonRunner, way: str) -> None:
    """`json.py` and `colorsys.py` beside the pipeline file are not what `import` finds."""
    call = python_call(f"shaded_steps:{way}", folder=FUNCTIONS / "shadowing")
    assert (await runner.run(call)).value == "[0.0, 1.0, 0.0]"
