"""The tools of a conversation: where each came from, whether it is switched on, and what is offered to the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.tool_runs import Readiness, SourceKind, ToolListing
from vllm_tui.tools.builtin import build_calculator, build_current_time, build_demo_weather, build_stub
from vllm_tui.tools.tool import Tool
from vllm_tui.tools.verdict import schema_problem

NAME_LIMIT = 64
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def name_problem(name: str) -> str | None:
    """Say why a tool can't be offered under this name, or None (letters, digits, _ and -, at most 64)."""
    if not name or len(name) > NAME_LIMIT or not set(name) <= _NAME_CHARACTERS:
        return f"the name must be 1 to {NAME_LIMIT} letters, digits, _ or -"
    return None


def tool_problem(tool: Tool) -> str | None:
    """Say why a tool can't be offered, or None."""
    return name_problem(tool.name) or schema_problem(tool.spec.parameters)


@dataclass(frozen=True, slots=True)
class _Entry:
    tool: Tool
    is_enabled: bool
    readiness: Readiness
    problem: str | None


class Registry:
    """Tools by name, in the order they were added. Tools that are not ready are listed but never offered.

    `on_approved` is called with a changed tool the person accepted.
    """

    def __init__(self, tools: Iterable[Tool] = (), check: Callable[[Tool], str | None] = tool_problem) -> None:
        self._entries: dict[str, _Entry] = {}
        self._notes: list[str] = []
        self.on_approved: Callable[[Tool], None] | None = None
        for tool in tools:
            self.add(tool, check=check)

    def add(
        self,
        tool: Tool,
        *,
        is_enabled: bool = True,
        changed: str | None = None,
        check: Callable[[Tool], str | None] = tool_problem,
    ) -> None:
        """Add a tool; `changed` says how it differs from what was approved.

        A tool whose name or schema can't be used is kept with its problem and not offered. `check` finds the
        problem; checking a hostile schema takes seconds, so it can be done elsewhere and handed in. Raises
        ConfigurationError for a name in use.
        """
        if tool.name in self._entries:
            taken = self._entries[tool.name].tool
            raise ConfigurationError(
                f"Two tools are called {tool.name!r}: one from {taken.origin}, one from {tool.origin}.",
                hint="Rename one or leave one out.",
            )
        problem = check(tool)
        readiness: Readiness = "invalid" if problem else "changed" if changed else "ready"
        self._entries[tool.name] = _Entry(tool, is_enabled, readiness, problem or changed)

    def remove(self, kind: SourceKind, origin: str) -> None:
        """Remove all tools of one source; names that are switched off are forgotten with it."""
        self._entries = {
            name: entry
            for name, entry in self._entries.items()
            if (entry.tool.kind, entry.tool.origin) != (kind, origin)
        }

    def note(self, text: str) -> None:
        """Keep a line about a source that failed; it is shown with the list."""
        self._notes.append(text)

    @property
    def notes(self) -> Sequence[str]:
        """Return what went wrong with sources."""
        return tuple(self._notes)

    @property
    def listings(self) -> Sequence[ToolListing]:
        """Return every tool as a list shows it."""
        return tuple(_listing(entry) for entry in self._entries.values())

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """Return what is offered to the model: tools that are ready and switched on."""
        return tuple(entry.tool.spec for entry in self._entries.values() if _is_offered(entry))

    def listing(self, name: str) -> ToolListing | None:
        """Return one tool as a list shows it, or None when there is none of this name."""
        entry = self._entries.get(name)
        return None if entry is None else _listing(entry)

    def spec(self, name: str) -> ToolSpec:
        """Return a tool's spec, offered or not; raises ConfigurationError for an unknown name."""
        return self._entry(name).tool.spec

    def offered(self, name: str) -> Tool | None:
        """Return a tool that is offered now, or None."""
        entry = self._entries.get(name)
        return entry.tool if entry is not None and _is_offered(entry) else None

    def switch(self, name: str, *, is_enabled: bool) -> None:
        """Offer a tool in this conversation or stop offering it; raises ConfigurationError for an unknown name."""
        self._entries[name] = replace(self._entry(name), is_enabled=is_enabled)

    def approve_change(self, name: str) -> None:
        """Accept a changed tool as it is now; raises ConfigurationError for an unknown name."""
        entry = self._entry(name)
        if entry.readiness == "changed":
            self._entries[name] = replace(entry, readiness="ready", problem=None)
            if self.on_approved is not None:
                self.on_approved(entry.tool)

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            raise ConfigurationError(f"There is no tool called {name!r}.", hint=f"Known tools: {known}.")
        return self._entries[name]


def build_builtins(*, is_demo: bool = False) -> tuple[Tool, ...]:
    """Return the built-in tools that need no setting up; the weather is offered in demo mode only."""
    tools = (build_current_time(), build_calculator(), build_stub())
    return (*tools, build_demo_weather()) if is_demo else tools


def _is_offered(entry: _Entry) -> bool:
    return entry.is_enabled and entry.readiness == "ready"


def _listing(entry: _Entry) -> ToolListing:
    tool = entry.tool
    return ToolListing(
        name=tool.name,
        title=tool.title or tool.name,
        spec=tool.spec,
        kind=tool.kind,
        origin=tool.origin,
        fingerprint=tool.fingerprint,
        pure=tool.pure,
        by_hand=tool.function is None,
        is_enabled=entry.is_enabled,
        readiness=entry.readiness,
        problem=entry.problem,
    )
