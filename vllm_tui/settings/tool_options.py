"""The options about tools: where they come from, what may run unasked, and what is asked of the model."""

from __future__ import annotations

from vllm_tui.settings.option import Group, Option

_GROUP: Group = "Tools"

TOOL_OPTIONS: tuple[Option, ...] = (
    Option(
        "tool_choice",
        "text",
        None,
        _GROUP,
        "auto, none, required or a tool's name, for the first request of a turn.",
        sent="tool_choice",
        local=True,
    ),
    Option(
        "tool_approval",
        "choice",
        "machine",
        _GROUP,
        "Ask before calls that touch the machine or the network, or before all.",
        choices=("machine", "all"),
        local=True,
    ),
    Option(
        "tool_timeout",
        "number",
        60.0,
        _GROUP,
        "How long one call may run.",
        low=0,
        low_is_open=True,
        high=86_400,
        unit="seconds",
        local=True,
    ),
    Option(
        "max_tool_rounds",
        "integer",
        8,
        _GROUP,
        "How often tools may run in one turn.",
        low=0,
        high=1000,
        local=True,
    ),
    Option(
        "tool_folder",
        "text",
        None,
        _GROUP,
        "Folder whose files the model may list and read, if you say so each time.",
        local=True,
        restart=True,
    ),
    Option(
        "tool_files",
        "list",
        None,
        _GROUP,
        "JSON files with tools: a description alone, or with a command to run.",
        local=True,
        restart=True,
    ),
    Option(
        "tool_modules",
        "list",
        None,
        _GROUP,
        "Python modules, or .py files, whose functions become tools.",
        local=True,
        restart=True,
    ),
    Option(
        "mcp_servers",
        "mapping",
        None,
        _GROUP,
        "MCP servers by name, each with command (a list) or url.",
        local=True,
        restart=True,
    ),
)
