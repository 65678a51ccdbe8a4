"""Sources together: what loads, what is only a note, and what is not loaded at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.tools.sources import ToolsConfig, ToolSources


async def test_every_source_adds_its_tools_and_what_fails_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps([{"name": "find"}, {"name": "calculator"}]))
    (tmp_path / "mine.py").write_text("def double(value: int) -> int:\n    return value * 2\n")
    config = ToolsConfig(
        folder=str(tmp_path),
        python=(str(tmp_path / "mine.py"), "no_such_module"),
        files=(str(tmp_path / "tools.json"), str(tmp_path / "none.json")),
    )
    sources = ToolSources(config)
    await sources.open()
    offered = [(entry.name, entry.kind) for entry in sources.registry.listings]
    assert offered == [
        ("current_time", "builtin"),
        ("calculator", "builtin"),
        ("stub", "builtin"),
        ("list_files", "builtin"),
        ("read_file", "builtin"),
        ("find", "file"),
        ("double", "python"),
    ]
    notes = sources.registry.notes
    assert [note.split(":")[0] for note in notes] == [
        "Two tools are called 'calculator'",
        f"The tool file {tmp_path}/none.json can't be read",
        "The tools of no_such_module could not be loaded",
    ]
    await sources.close()


async def test_a_folder_that_is_none_is_a_note(tmp_path: Path) -> None:
    sources = ToolSources(ToolsConfig(folder=str(tmp_path / "none")))
    await sources.open()
    assert "is not a folder" in sources.registry.notes[0]


async def test_only_configured_servers_can_be_connected_again() -> None:
    with pytest.raises(ConfigurationError, match="no MCP server called 'x'"):
        await ToolSources().connect_again("x")


def test_nothing_heavy_is_loaded_before_a_source_is_opened() -> None:
    code = (
        "import sys\nfrom vllm_tui.tools.sources import ToolSources\n"
        "from vllm_tui.tools.toolbox import CheckedToolbox\n"
        "CheckedToolbox(ToolSources(is_demo=True).registry)\n"
        "print([name for name in ('jsonschema', 'mcp', 'anyio', 'openai') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")
