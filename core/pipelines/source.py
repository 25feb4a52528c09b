"""The content of a pipeline file as clients may see it."""

from collections.abc import Mapping
from typing import Any

HIDDEN = "***"


def shown(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a valid file, with HIDDEN in place of each value that `env` sets."""
    return {**content, "stages": [_shown_stage(stage) for stage in content["stages"]]}


def _shown_stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    env = {"env": [_without_value(entry) for entry in stage["env"]]} if "env" in stage else {}
    return {**stage, **env}


def _without_value(entry: str) -> str:
    name, sets, _ = entry.partition("=")
    return f"{name}={HIDDEN}" if sets else name
