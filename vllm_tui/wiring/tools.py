"""The tools of a conversation as the settings name them: sources, what may run unasked, how long."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.settings.layers import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from vllm_tui.settings.option import OptionValue
    from vllm_tui.tools.policy import Policy
    from vllm_tui.tools.runner import Limits
    from vllm_tui.tools.sources import ToolSources

PINS_NAME = "mcp-tools.json"
"""The file in the data folder that remembers what MCP tools looked like when they were accepted."""


def build_sources(settings: Settings, data_folder: Path, *, demo: bool) -> ToolSources:
    """Return the sources of tools that `settings` name, not opened yet; a server that is badly described is a note."""
    from vllm_tui.tools.mcp_server import servers_from
    from vllm_tui.tools.sources import ToolsConfig, ToolSources

    described = settings.value("mcp_servers")
    servers, problems = servers_from(described if isinstance(described, dict) else {})
    config = ToolsConfig(
        folder=settings.text_or_none("tool_folder"),
        python=_texts(settings.value("tool_modules")),
        files=_texts(settings.value("tool_files")),
        mcp=servers,
        pins=str(data_folder / PINS_NAME),
    )
    sources = ToolSources(config, is_demo=demo)
    for problem in problems:
        sources.registry.note(problem)
    return sources


def build_policy(settings: Settings) -> Policy:
    """Return what may run without asking."""
    from vllm_tui.tools.policy import Policy

    return Policy(runs_pure=settings.text("tool_approval") == "machine")


def listed_policy(names: Collection[str]) -> Policy:
    """Return the policy of a run without a person: only the tools that were named, and nobody is asked."""
    from vllm_tui.tools.policy import Policy

    return Policy("listed", names)


def limits_of(settings: Settings) -> Limits:
    """Return how long a call may run."""
    from vllm_tui.tools.runner import Limits

    return Limits(seconds=settings.number("tool_timeout"))


def _texts(value: OptionValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def check_names(sources: ToolSources, names: Collection[str]) -> None:
    """Raise ConfigurationError when one of `names` is no tool of the opened sources, or is not ready."""
    listings = sources.registry.listings
    known = {listing.name for listing in listings}
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigurationError(
            f"There is no tool called {missing[0]}.", hint=f"Known tools: {', '.join(sorted(known)) or 'none'}."
        )
    unready = next((entry for entry in listings if entry.name in names and entry.readiness != "ready"), None)
    if unready is not None:
        raise ConfigurationError(
            f"The tool {unready.name} can't be offered: {unready.problem or unready.readiness}.",
            hint="A tool that changed is accepted on the screen of tools.",
        )
