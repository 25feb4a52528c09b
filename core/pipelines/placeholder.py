"""The placeholders of templates: `{{name}}` in a text (section 5.3 of the REST contract)."""

import re
from collections.abc import Iterator

from ..text import trimmed

PLACEHOLDER = re.compile(r"\{\{([^{}]++)\}\}")


def names_in(template: str) -> Iterator[str]:
    """The names that a template uses, each once, in their order."""
    yield from dict.fromkeys(trimmed(name) for name in PLACEHOLDER.findall(template))
