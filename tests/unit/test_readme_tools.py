"""The examples of tools in the README work."""

from __future__ import annotations

import json
import re
from pathlib import Path

from vllm_tui.settings.layers import load_settings
from vllm_tui.tools.registry import tool_problem
from vllm_tui.tools.tool_files import load_tool_file
from vllm_tui.wiring.tools import build_sources

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(language: str, holds: str) -> str:
    """Return the code block of a language that holds some words, its indentation taken away."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)
    text = next(text for text in found if holds in text)
    return "\n".join(line.removeprefix("  ") for line in text.splitlines())


async def test_the_tool_file_loads_and_its_command_runs(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(block("json", "count_lines"))
    weather, lines = load_tool_file(path)
    assert [tool_problem(tool) for tool in (weather, lines)] == [None, None]
    assert weather.function is None
    assert lines.function is not None
    assert str(await lines.function({"text": "x"})).strip() == "0"  # the JSON it gets has no line break


def test_the_mcp_servers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(block("toml", "mcp_servers"))
    settings = load_settings({}, {"DOCS_KEY": "k"}, path)
    time, docs = build_sources(settings, tmp_path, demo=False).config.mcp
    assert time.command == ("uvx", "mcp-server-time")
    assert (docs.url, docs.headers) == ("https://example.org/mcp", {"authorization": "Bearer k"})
    assert json.loads(json.dumps(settings.shown("mcp_servers"))).count("Bearer k") == 0
