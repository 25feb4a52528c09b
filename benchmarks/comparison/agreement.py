"""Whether the servers say the same, before it is measured what that costs them."""

import json
from collections.abc import Iterable
from typing import Any

from served import ask

from .contestants import Running
from .requests import Request


def check(servers: Iterable[Running], requests: Iterable[Request], size: int) -> None:
    """Each answer, read as JSON, is the same as the first server's; a list has `size` elements.

    Raises:
        SystemExit: it is not.
    """
    able = list(servers)
    for request in requests:
        answers = {one.name: _answer(one, request) for one in able if request.door in one.doors}
        first, *others = answers
        for other in others:
            if answers[other] != answers[first]:
                both = f"{str(answers[first])[:300]}\n{str(answers[other])[:300]}"
                raise SystemExit(f"{request.title}: {first} and {other} differ\n{both}")
        listed = answers[first].get("executions")
        if listed is not None and len(listed) != size:
            raise SystemExit(f"{request.title}: {len(listed)} executions instead of {size}")


def _answer(server: Running, request: Request) -> dict[str, Any]:
    answer = json.loads(ask(server.served.connect(), request.target))
    if answer.get("errors"):
        raise SystemExit(f"{server.name}: {request.title}: {answer['errors']}")
    return dict(answer.get("data", answer))
