"""What was probably meant by a name that there is not."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice

LONGEST = 100
MAX_COMPARED = 100
"""Comparing a name with so many others takes less than a millisecond."""

# What other systems call it.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "args": ("command",),
    "argv": ("command",),
    "attempts": ("retryCount",),
    "backoff": ("retryDelayMs",),
    "cache": ("enableCaching",),
    "cmd": ("command",),
    "concurrency": ("maxConcurrent",),
    "delay": ("retryDelayMs",),
    "dir": ("cwd",),
    "directory": ("cwd",),
    "environment": ("env",),
    "exec": ("command",),
    "func": ("call",),
    "function": ("call",),
    "handler": ("call",),
    "if": ("runIf", "conditions"),
    "input": ("prompt",),
    "jobs": ("stages",),
    "key": ("id",),
    "label": ("name",),
    "llm": ("model",),
    "maxattempts": ("retryCount", "maxRetries"),
    "parallel": ("parallelExecution",),
    "program": ("command",),
    "provider": ("providerID",),
    "python": ("call",),
    "result": ("output",),
    "retries": ("retryCount", "maxRetries"),
    "retry": ("retryCount", "maxRetries"),
    "run": ("command",),
    "script": ("command",),
    "shell": ("command",),
    "stdin": ("input",),
    "steps": ("stages",),
    "system": ("systemPrompt",),
    "tasks": ("stages",),
    "text": ("template",),
    "timeoutseconds": ("timeoutMs",),
    "title": ("name",),
    "unless": ("skipIf", "conditions"),
    "vars": ("variables", "env"),
    "when": ("runIf", "conditions"),
    "workdir": ("cwd",),
    "workingdir": ("cwd",),
    "workingdirectory": ("cwd",),
}


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?` with the name that was probably meant, or nothing."""
    meant = nearest(name, known)
    return "" if meant is None else f"; did you mean `{meant}`?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelled almost like this one, or that means the same."""
    plain = name[:LONGEST].lower()
    spellings = {each.lower(): each for each in islice(known, MAX_COMPARED)}
    for meant in SYNONYMS.get(re.sub("[-_ ]", "", plain), ()):
        if meant.lower() in spellings:
            return meant
    close = get_close_matches(plain, spellings, 1)
    return spellings[close[0]] if close else None
