"""The providers of language models, as pydantic-ai knows them.

Imported only when a model is asked: the extra `runcast[models]` brings what it needs.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

import httpx2
from genai_prices import calc_price
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelServerError,
    ModelUnavailableError,
)
from pydantic_ai.messages import (
    ModelRequest,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from pydantic_ai.models import Model, StreamedResponse, create_async_httpx2_client
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers import Provider
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from ...errors import StageError
from ...execution.model import Usage
from ...pipelines.definition import PromptDefinition
from ...pipelines.pipeline import PromptStage

AnyProvider: TypeAlias = Provider[Any]

BODY_CHARACTERS = 1000
# US dollars for a million tokens of a model that nobody knows (section 5.5 of the REST contract).
UNKNOWN_INPUT_PRICE, UNKNOWN_OUTPUT_PRICE = 1.0, 3.0
TOKENS_PER_PRICE = 1_000_000

# Of the errors without an HTTP status: another attempt may help.
PASSING = (ModelConnectionError, ModelRateLimitError, ModelServerError, ModelUnavailableError)


RESPONSES: ContextVar[list[httpx2.Response]] = ContextVar("RESPONSES")
"""What was answered to the question that is being put: a client that is left in the middle of an
answer does not always close it (google's leaves that to the garbage collector)."""


async def _remember(response: httpx2.Response) -> None:
    RESPONSES.get().append(response)


def open_client() -> httpx2.AsyncClient:
    """An HTTP client for one provider; who asks for it closes it."""
    client = create_async_httpx2_client()
    client.event_hooks = {**client.event_hooks, "response": [_remember]}
    return client


def open_provider(
    id: str, key: str, base_url: str | None, http_client: httpx2.AsyncClient
) -> AnyProvider:
    """One of `anthropic`, `openai` and `google`, at its own address or another one."""
    match id:
        case "anthropic":
            return AnthropicProvider(api_key=key, base_url=base_url, http_client=http_client)
        case "google":
            return GoogleProvider(api_key=key, base_url=base_url, http_client=http_client)
        case _ if base_url is None:
            return OpenAIProvider(api_key=key, http_client=http_client)
        case _:
            return OpenAICompatibleProvider(
                "openai-compatible",
                base_url=base_url,
                api_key=key or None,
                http_client=http_client,
            )


MODELS: Mapping[str, Callable[[str, AnyProvider], Model[Any]]] = {
    "anthropic": lambda name, provider: AnthropicModel(name, provider=provider),
    # Every OpenAI-compatible server has chat completions, few have responses.
    "openai": lambda name, provider: OpenAIChatModel(name, provider=provider),
    "google": lambda name, provider: GoogleModel(name, provider=provider),
}


async def ask(
    provider: AnyProvider, stage: PromptStage, prompt: str, receive: Callable[[str], None]
) -> Usage:
    """Puts one question; `receive` is given the text of the answer as it comes.

    Raises:
        StageError: there is no answer, or no whole one.
    """
    definition = stage.model
    model = MODELS[definition.provider_id](definition.model_id, provider)
    request = [_request(stage.prompt, prompt)]
    responses: list[httpx2.Response] = []
    RESPONSES.set(responses)
    try:
        async with model_request_stream(model, request, model_settings=_settings(stage)) as stream:
            async for event in stream:
                receive(_text(event))
            _check_whole(definition.provider_id, stream)
            return _usage(stage, stream.usage)
    except AgentRunError as error:
        # Not `from error`: what the provider said may quote the key.
        raise _failure(definition.provider_id, error) from None
    finally:
        for response in responses:
            await response.aclose()


def _request(definition: PromptDefinition, prompt: str) -> ModelRequest:
    system = definition.system_prompt
    instructions = [SystemPromptPart(system)] if system else []
    return ModelRequest(parts=[*instructions, UserPromptPart(prompt)])


def _settings(stage: PromptStage) -> ModelSettings:
    return ModelSettings(
        max_tokens=stage.model.max_tokens,
        temperature=stage.model.temperature,
        # The executor retries, and keeps the time: its limit comes first.
        max_retries=0,
        timeout=stage.timeout_ms / 1000 + 5,
    )


def _text(event: ModelResponseStreamEvent) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""


def _check_whole(provider: str, stream: StreamedResponse) -> None:
    """A proxy may end an answer in good order whose provider has left it halfway.

    Not all OpenAI-compatible servers say why they are done: there the library assumes the best.
    """
    details = stream.provider_details or {}
    if stream.finish_reason is None and not details.get("finish_reason"):
        raise StageError(f"{provider}: the answer broke off", type="IncompleteAnswer")


def _usage(stage: PromptStage, used: RequestUsage) -> Usage:
    try:
        price = calc_price(used, stage.model.model_id, provider_id=stage.model.provider_id)
        cost = float(price.total_price)
    except LookupError:
        input_cost = used.input_tokens * UNKNOWN_INPUT_PRICE
        cost = (input_cost + used.output_tokens * UNKNOWN_OUTPUT_PRICE) / TOKENS_PER_PRICE
    return Usage(used.input_tokens, used.output_tokens, cost)


def _failure(provider: str, error: AgentRunError) -> StageError:
    kind = type(error).__name__
    if isinstance(error, ModelHTTPError):
        retryable = error.status_code in (408, 429) or error.status_code >= 500
        message = f"{provider} answered {error.status_code}: {_said(error.body)}"
        return StageError(message, type=kind, retryable=retryable)
    message = f"{provider}: {error.message[:BODY_CHARACTERS]}"
    return StageError(message, type=kind, retryable=isinstance(error, PASSING))


def _said(body: object) -> str:
    """The provider's own words; all three put them under `error.message`, or `message`."""
    found = body
    for key in ("error", "message"):
        if isinstance(found, Mapping):
            found = found.get(key, found)
    return str(found)[:BODY_CHARACTERS]
