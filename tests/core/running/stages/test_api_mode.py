"""`api` mode: the real client library against a local server that speaks the providers' words."""

import asyncio
import subprocess
import sys
import time

import pytest
from model_server import INPUT_TOKENS, OUTPUT_TOKENS, ModelServer, Reply
from patience import until
from prompts import MODELS, a_prompt_call, a_prompt_stage
from runcast.core.errors import StageError
from runcast.core.execution.model import Usage
from runcast.core.running.stages.models import Models

pytestmark = pytest.mark.usefixtures("leaves_no_task")

KEY = "sk-very-secret-0123456789"
PROVIDERS = sorted(MODELS)


def environ(server: ModelServer) -> dict[str, str]:
    """Keys for all three, and the local server in the place of each."""
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GOOGLE_API_KEY"), KEY)
    return keys | {
        "ANTHROPIC_BASE_URL": server.url,
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "GOOGLE_GEMINI_BASE_URL": server.url,
    }


async def failure(server: ModelServer, provider: str) -> StageError:
    """What becomes of a question that fails."""
    async with Models(environ(server)) as models:
        with pytest.raises(StageError) as raised:
            await models.answer(a_prompt_call(a_prompt_stage(provider)), "hello")
    assert len(server.asked) <= 1, "the library retried by itself"
    assert KEY not in raised.value.message
    assert raised.value.__cause__ is None, "a traceback could show the key"
    return raised.value


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_is_streamed(provider: str) -> None:
    """Its pieces are put out as they come; together they are the value."""
    pieces: list[str] = []
    reply = Reply(("Good ", "mörning", "!"))
    async with ModelServer(reply) as server, Models(environ(server)) as models:
        call = a_prompt_call(a_prompt_stage(provider), pieces.append)
        result = await models.answer(call, "hello")
    assert result.value == "Good mörning!"
    assert list(filter(None, pieces)) == ["Good ", "mörning", "!"]
    assert result.model == MODELS[provider]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("pieces", [("Good ", "morning"), ()])
async def test_a_cancel_hangs_up_at_once(provider: str, pieces: tuple[str, ...]) -> None:
    """What has come by then was put out already; the server sees that its client has left."""
    texts: list[str] = []
    reply = Reply(pieces, then="hang")
    async with ModelServer(reply) as server, Models(environ(server)) as models:
        call = a_prompt_call(a_prompt_stage(provider), texts.append)
        task = asyncio.create_task(models.answer(call, "hello"))
        await until(lambda: server.asked and "".join(texts) == "".join(pieces))
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await server.hung_up.wait()


@pytest.mark.parametrize(
    ("provider", "usd"), [("anthropic", 0.01), ("openai", 0.00027), ("google", 0.0008)]
)
async def test_tokens_and_their_price_are_the_providers(provider: str, usd: float) -> None:
    """Tokens as the answer reports them, US dollars as of the price list of the model."""
    async with ModelServer() as server, Models(environ(server)) as models:
        result = await models.answer(a_prompt_call(a_prompt_stage(provider)), "hello")
    assert (result.usage.input_tokens, result.usage.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert result.usage.cost_usd == pytest.approx(usd)


async def test_a_model_that_nobody_knows_has_a_price_too() -> None:
    """1.0 and 3.0 US dollars for a million tokens (section 5.5)."""
    stage = a_prompt_stage("openai", model={"providerID": "openai", "modelID": "my-own-model"})
    async with ModelServer() as server, Models(environ(server)) as models:
        result = await models.answer(a_prompt_call(stage), "hello")
    assert result.usage == Usage(1000, 200, 0.0016)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_model_is_asked_what_the_stage_says(provider: str) -> None:
    """The system prompt, the rendered prompt, the bounds, and the key in a header only."""
    model = {"providerID": provider, "modelID": MODELS[provider], "maxTokens": 77}
    stage = a_prompt_stage(provider, model=model | {"temperature": 0.25})
    async with ModelServer() as server, Models(environ(server)) as models:
        await models.answer(a_prompt_call(stage), "the prompt")
    [asked] = server.asked
    body = str(asked.body)
    for part in ("Be brief.", "the prompt", "77", "0.25"):
        assert part in body
    assert MODELS[provider] in body + asked.path
    assert KEY not in body + asked.path
    assert any(KEY in value for value in asked.headers.values())


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((408, True), (429, True), (500, True), (503, True)),
        *((400, False), (401, False), (403, False), (404, False)),
    ],
)
async def test_a_refusal_tells_whether_to_try_again(
    provider: str, status: int, retryable: bool
) -> None:
    """The executor retries, the library does not; keys that a provider quotes are taken out."""
    async with ModelServer(Reply(status=status, message=f"no, {KEY}")) as server:
        error = await failure(server, provider)
    assert error.retryable is retryable
    assert error.message == f"{provider} answered {status}: no, [key]"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("reply", [Reply(then="cut"), Reply(then="reset")])
async def test_a_broken_connection_is_worth_another_attempt(provider: str, reply: Reply) -> None:
    """Before there is an answer, and in the middle of it: half an answer is none."""
    async with ModelServer(reply) as server:
        assert (await failure(server, provider)).retryable


@pytest.mark.parametrize("provider", ["anthropic", "google"])
async def test_an_answer_that_stops_short_is_none(provider: str) -> None:
    """In good order for HTTP, but without the provider's own end (not all OpenAI-compatible
    servers say that they are done, so there it cannot be told)."""
    async with ModelServer(Reply(then="stop short")) as server:
        error = await failure(server, provider)
    assert (error.message, error.retryable) == (f"{provider}: the answer broke off", True)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_refused_connection_is_worth_another_attempt(provider: str) -> None:
    """The server may come back."""
    async with ModelServer() as server:
        pass
    assert (await failure(server, provider)).retryable


async def test_after_a_429_the_next_attempt_succeeds() -> None:
    """Attempts are independent of each other, on one client."""
    replies = Reply(status=429, message="slow down"), Reply()
    async with ModelServer(*replies) as server, Models(environ(server)) as models:
        with pytest.raises(StageError) as raised:
            await models.answer(a_prompt_call(), "hello")
        assert raised.value.retryable
        assert (await models.answer(a_prompt_call(attempt=2), "hello")).value == "Good morning"


async def test_one_client_is_kept_and_closed() -> None:
    """Questions share connections; at the end none is left."""
    async with ModelServer() as server:
        async with Models(environ(server)) as models:
            for _ in range(3):
                await models.answer(a_prompt_call(), "hello")
            assert server.connections == 1
        await until(lambda: server.connections == 0)


async def test_questions_at_the_same_time_open_one_client() -> None:
    """Also the first ones, and though one of them is cancelled while it waits for the client."""
    async with ModelServer() as server, Models(environ(server)) as models:
        tasks = [asyncio.create_task(models.answer(a_prompt_call(), "hi")) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        cancelled, *results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert {getattr(result, "value", result) for result in results} == {"Good morning"}


async def test_an_answer_that_is_too_large_fails() -> None:
    """At maxOutputBytes, for nothing is cut and handed on; another attempt would not help."""
    stage = a_prompt_stage(maxOutputBytes=5)
    async with ModelServer() as server, Models(environ(server)) as models:
        with pytest.raises(StageError, match="more than 5 bytes") as caught:
            await models.answer(a_prompt_call(stage), "hello")
    assert (caught.value.type, caught.value.retryable) == ("OutputTooLarge", False)


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("google", "GOOGLE_API_KEY or GEMINI_API_KEY"),
    ],
)
async def test_without_a_key_the_error_names_the_variable(provider: str, names: str) -> None:
    """An empty one counts as none; another attempt would not help."""
    with pytest.raises(StageError) as raised:
        await Models({"ANTHROPIC_API_KEY": ""}).answer(
            a_prompt_call(a_prompt_stage(provider)), "hello"
        )
    message = f"API mode requires the environment variable {names} for {provider}"
    assert (raised.value.message, raised.value.retryable) == (message, False)


async def test_a_model_server_of_ones_own_needs_no_key() -> None:
    """OPENAI_BASE_URL is enough, and the server's other keys do not go there."""
    async with ModelServer() as server:
        only = {"OPENAI_BASE_URL": f"{server.url}/v1", "ANTHROPIC_API_KEY": KEY}
        async with Models(only) as models:
            result = await models.answer(a_prompt_call(a_prompt_stage("openai")), "hello")
    assert result.value == "Good morning"
    assert not any(KEY in value for value in server.asked[0].headers.values())


async def test_an_unknown_provider_is_named() -> None:
    """With those that there are."""
    with pytest.raises(StageError, match='"acme"; there are anthropic, openai, google') as raised:
        await Models({}).answer(a_prompt_call(a_prompt_stage("acme")), "hello")
    assert not raised.value.retryable


WITHOUT_THE_EXTRA = """
import asyncio, sys
sys.modules["pydantic_ai"] = None
from prompts import a_prompt_call
from runcast.core.errors import StageError
from runcast.core.running.stages.models import Models
try:
    asyncio.run(Models({"ANTHROPIC_API_KEY": "x"}).answer(a_prompt_call(), "hello"))
except StageError as error:
    print(error.retryable, error.message)
"""

NOT_IMPORTED = """
import sys
import runcast.core.running.stages.prompt
print({"pydantic_ai", "anthropic", "openai", "google.genai"} & sys.modules.keys())
"""


def printed(script: str) -> str:
    """What a new interpreter prints, that finds the support modules too."""
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    ran = subprocess.run(
        [sys.executable, "-c", path + script], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_without_the_extra_the_error_names_it() -> None:
    """`pip install` as it has to be typed."""
    said = printed(WITHOUT_THE_EXTRA)
    assert said.startswith("False API mode needs more packages")
    assert said.endswith("pip install 'runcast[models]'")


def test_nothing_is_imported_until_a_model_is_asked() -> None:
    """A server that asks none does not pay for it."""
    assert printed(NOT_IMPORTED) == "set()"


async def test_the_first_import_does_not_block_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It happens in a thread: here an import that waits until the loop has turned."""
    turned = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow_import(name: str, package: str | None = None) -> object:
        loop.call_soon_threadsafe(turned.set)
        deadline = time.monotonic() + 20
        while not turned.is_set() and time.monotonic() < deadline:
            time.sleep(0.001)
        raise ImportError("too late for the rest", name="late" if turned.is_set() else "blocked")

    monkeypatch.setattr("importlib.import_module", slow_import)
    with pytest.raises(StageError, match="late is missing"):
        await Models({"ANTHROPIC_API_KEY": KEY}).answer(a_prompt_call(), "hello")
