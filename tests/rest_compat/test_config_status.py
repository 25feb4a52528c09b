"""`/api/config/status` with real commands on a PATH: section 3 of the REST contract."""

from pathlib import Path

import pytest
from commands_on_a_path import a_tool
from old_door import door
from runcast.resolvers import tools

KEY = "sk-ant-very-secret"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time to start a command."""
    monkeypatch.setattr(tools, "ANSWER_SECONDS", 30.0)


async def test_each_tool_tells_its_version_or_why_it_is_not_there(tmp_path: Path) -> None:
    """All three are always named."""
    a_tool(tmp_path, "claude", "assert sys.argv[1:] == ['--version']", "print('2.1.0 (x)\\nmore')")
    a_tool(tmp_path, "aider", "print('no config', file=sys.stderr)", "sys.exit(3)")
    async with door(environ={"PATH": str(tmp_path)}) as served:
        answer = (await served.client.get("/api/config/status")).json()
    assert list(answer) == ["hasApiKey", "cliTools"]
    found = answer["cliTools"]
    assert list(found) == ["claude", "opencode", "aider"]
    assert found["claude"] == {"available": True, "version": "2.1.0 (x)"}
    assert found["opencode"]["available"] is False
    assert "PATH" in found["opencode"]["error"]
    assert found["aider"]["available"] is False
    assert "no config" in found["aider"]["error"]
    assert "3" in found["aider"]["error"]


@pytest.mark.parametrize(("key", "has"), [(KEY, True), ("", False), (None, False)])
async def test_whether_there_is_a_key_is_told_and_the_key_is_not(
    tmp_path: Path, key: str | None, has: bool
) -> None:
    """An empty variable is none."""
    environ = {"PATH": str(tmp_path)} | ({} if key is None else {"ANTHROPIC_API_KEY": key})
    async with door(environ=environ) as served:
        answer = await served.client.get("/api/config/status")
    assert answer.json()["hasApiKey"] is has
    assert KEY not in answer.text
