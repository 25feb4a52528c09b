"""Prompt stages, and calls of them, as small as a test needs them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from memory_stores import HeardLog, MemoryStores
from runcast.core.pipelines.pipeline import PromptStage
from runcast.core.running.stages import StageCall, Stop

MODELS: Mapping[str, str] = {
    "anthropic": "claude-opus-4-6",
    "openai": "gpt-4o-mini",
    "google": "gemini-2.5-flash",
}

STORES = MemoryStores()


def a_prompt_stage(provider: str = "anthropic", **keys: Any) -> PromptStage:
    """Asks the model of a provider, with a system prompt."""
    definition: dict[str, Any] = {
        "id": "ask",
        "model": {"providerID": provider, "modelID": MODELS.get(provider, "some-model")},
        "prompt": {"systemPrompt": "Be brief.", "template": "Improve: {{prompt}}"},
    }
    return PromptStage.model_validate(definition | keys)


def a_prompt_call(
    stage: PromptStage | None = None,
    emit: Callable[[str], None] = lambda text: None,
    **values: Any,
) -> StageCall[PromptStage]:
    """The first attempt of a stage; what it puts out is lost unless `emit` keeps it."""
    defaults: dict[str, Any] = {
        "execution_id": "exec_1",
        "stage": stage or a_prompt_stage(),
        "attempt": 1,
        "input": "my text",
        "pipeline_input": "my text",
        "outputs": {},
        "folder": Path(),
        "log": HeardLog(emit),
        "stop": Stop(grace=10),
        "stores": STORES,
    }
    return StageCall(**(defaults | values))
