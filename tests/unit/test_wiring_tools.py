"""The tools that the settings name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.kinds import shown_value
from vllm_tui.settings.layers import load_settings
from vllm_tui.settings.options import option_named
from vllm_tui.tools.tool import Tool
from vllm_tui.wiring.tools import build_policy, build_sources, check_names, limits_of


def test_an_mcp_server_that_is_badly_described_is_left_out_with_the_reason(tmp_path: Path) -> None:
    described = {"good": {"command": ["serve"]}, "odd": {"command": 5}, "both": {"command": ["a"], "url": "http://a"}}
    sources = build_sources(load_settings({"mcp_servers": json.dumps(described)}, {}, None), tmp_path, demo=False)
    assert [server.name for server in sources.config.mcp] == ["good"]
    odd, both = sources.registry.notes
    assert odd == "mcp_servers: odd is left out; command: Input should be a valid tuple."
    assert both == "mcp_servers: both is left out; give either command or url."


def test_a_url_alone_describes_a_server(tmp_path: Path) -> None:
    sources = build_sources(load_settings({"mcp_servers": '{"docs": "http://a/mcp"}'}, {}, None), tmp_path, demo=False)
    assert sources.config.mcp[0].url == "http://a/mcp"


def test_headers_and_variables_of_a_server_are_never_shown() -> None:
    value = {"docs": {"url": "http://a", "headers": {"authorization": "Bearer sk-1"}, "env": {"KEY": "sk-2"}}}
    shown = shown_value(option_named("mcp_servers"), value)
    assert "sk-" not in shown
    assert "authorization" in shown


def test_all_calls_are_asked_for_where_the_settings_say_so() -> None:
    assert build_policy(load_settings({}, {}, None)).runs_pure
    assert not build_policy(load_settings({"tool_approval": "all"}, {}, None)).runs_pure
    assert limits_of(load_settings({"tool_timeout": "2.5"}, {}, None)).seconds == 2.5


def test_a_name_that_is_no_tool_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    sources = build_sources(load_settings({}, {}, None), tmp_path, demo=False)
    check_names(sources, ["calculator"])
    with pytest.raises(ConfigurationError, match="no tool called weather") as caught:
        check_names(sources, ["weather"])
    assert "calculator" in str(caught.value)
    assert all(isinstance(entry.tool, Tool) for entry in sources.registry._entries.values())
