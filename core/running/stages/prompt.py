"""Prompt stages: a rendered template, asked of a language model in one of two modes."""

import os
from collections.abc import Mapping
from typing import Self

from ...errors import StageError
from ...pipelines.pipeline import PromptStage
from ..contents import Contents, computed, content
from ..keeper import Keeper
from ..template import Scope, render, resolve
from . import StageCall, StageResult
from .models import PROVIDERS, Models
from .tools import TOOLS, Tools

API, CLI = "api", "cli"


class PromptRunner:
    """Asks models over the network (`api`) or through a command (`cli`).

    An async context manager: what it holds open for `api` is closed at its end. `environ` is looked
    at when a stage runs; `tools` are the argv lists that `cli` may use, by name.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        tools: Mapping[str, tuple[str, ...]] = TOOLS,
        keeper: Keeper | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._models = Models(self._environ)
        self._tools = Tools(self._environ, tools, keeper)

    async def __aenter__(self) -> Self:
        await self._models.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._models.__aexit__(*error)

    async def run(self, call: StageCall[PromptStage]) -> StageResult:
        """The text of the answer as it is: reading it is the executor's business.

        Raises:
            StageError: a name in the template means nothing, or there is no answer.
        """
        prompt = await rendered(call)
        match call.execution_mode or default_mode(self._environ):
            case "api":
                return await self._models.answer(call, prompt)
            case "cli":
                return await self._tools.answer(call, prompt)
            case mode:
                raise StageError(
                    f'there is no execution mode "{mode}"; there are {API} and {CLI}',
                    type="UnknownMode",
                    retryable=False,
                )


async def rendered(call: StageCall[PromptStage]) -> str:
    """What the model is asked."""

    def compute() -> str:
        prompt = str(content(call.pipeline_input, call.stores))
        given = content(call.input, call.stores)
        scope = Scope(prompt, given, Contents(call.outputs, call.stores))
        definition = call.stage.prompt
        return render(definition.template, resolve(definition.variables, scope), scope)

    return await computed(compute, call.pipeline_input, call.input, *call.outputs.values())


def default_mode(environ: Mapping[str, str]) -> str:
    """`api` if there is a key, or the address of a model server that needs none; else `cli`.

    The rule is that of section 2.3 of the REST contract.
    """
    for access in PROVIDERS.values():
        open_to_all = (access.base_url,) if access.key_is_optional else ()
        if any(environ.get(name) for name in (*access.keys, *open_to_all)):
            return API
    return CLI
