"""How a prompt stage reaches a language model over the network (`api` mode)."""

import asyncio
import importlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any, NamedTuple, Self

from ...errors import StageError
from ...pipelines.pipeline import PromptStage
from . import StageCall, StageResult


class Access(NamedTuple):
    """The environment variables that let a provider be used."""

    keys: tuple[str, ...]
    """Any one of them, the first before the others."""
    base_url: str
    """Another address than the provider's own."""
    key_is_optional: bool = False
    """At another address: a model server of one's own seldom wants one."""


PROVIDERS: Mapping[str, Access] = {
    "anthropic": Access(("ANTHROPIC_API_KEY",), "ANTHROPIC_BASE_URL"),
    "openai": Access(("OPENAI_API_KEY",), "OPENAI_BASE_URL", key_is_optional=True),
    "google": Access(("GOOGLE_API_KEY", "GEMINI_API_KEY"), "GOOGLE_GEMINI_BASE_URL"),
}


class Models:
    """Asks models. Holds one HTTP client per provider, from its first use until it is closed.

    Keys come from the environment only, and are in no message.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._opening: dict[str, asyncio.Task[Any]] = {}
        self._clients = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        self._opening.clear()
        await self._clients.aclose()

    async def answer(self, call: StageCall[PromptStage], prompt: str) -> StageResult:
        """The text of the answer, put out as it comes; its tokens and its price.

        Raises:
            StageError: no answer. Worth another attempt after a timeout, a broken or refused
                connection, 408, 429 and 5xx.
        """
        model = call.stage.model
        key = self._key(model.provider_id)
        library, provider = await self._opened(model.provider_id, key)
        texts: list[str] = []
        left = call.stage.max_output_bytes

        def receive(text: str) -> None:
            nonlocal left
            left -= len(text.encode("utf-8", "replace"))
            if left < 0:
                raise call.too_large()
            texts.append(text)
            call.log.emit(text)

        try:
            usage = await library.ask(provider, call.stage, prompt, receive)
        except StageError as error:
            raise _without(key, error) from None
        return StageResult("".join(texts), usage, model.model_id)

    def _key(self, provider: str) -> str:
        access = PROVIDERS.get(provider)
        if access is None:
            known = ", ".join(PROVIDERS)
            raise _unusable(f'there is no provider "{provider}"; there are {known}')
        if key := next((key for name in access.keys if (key := self._environ.get(name))), ""):
            return key
        if access.key_is_optional and self._environ.get(access.base_url):
            return ""
        names = " or ".join(access.keys)
        raise _unusable(f"API mode requires the environment variable {names} for {provider}")

    async def _opened(self, provider: str, key: str) -> tuple[ModuleType, Any]:
        """The library, and its client of the provider.

        Opening belongs to no attempt: one that is cancelled meanwhile leaves it to the others.
        """
        if provider not in self._opening:
            self._opening[provider] = asyncio.create_task(self._open(provider, key))
        task = self._opening[provider]
        try:
            return await asyncio.shield(task)
        except Exception:
            if self._opening.get(provider) is task:
                del self._opening[provider]
            raise

    async def _open(self, provider: str, key: str) -> tuple[ModuleType, Any]:
        base_url = self._environ.get(PROVIDERS[provider].base_url) or None
        library, http_client, opened = await asyncio.to_thread(_load, provider, key, base_url)
        self._clients.push_async_callback(http_client.aclose)
        return library, opened


def _load(provider: str, key: str, base_url: str | None) -> tuple[ModuleType, Any, Any]:
    """Takes seconds the first time (imports, certificates, prices): not in the event loop."""
    try:
        library = importlib.import_module(".providers", __package__)
    except ImportError as error:
        raise _unusable(
            f"API mode needs more packages ({error.name} is missing): pip install 'runcast[models]'"
        ) from None
    http_client = library.open_client()
    return library, http_client, library.open_provider(provider, key, base_url, http_client)


def _without(key: str, error: StageError) -> StageError:
    message = error.message.replace(key, "[key]") if key else error.message
    return StageError(message, type=error.type, retryable=error.retryable)


def _unusable(message: str) -> StageError:
    return StageError(message, type="ModelUnavailable", retryable=False)
