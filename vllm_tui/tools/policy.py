"""Decides what may run without asking, and remembers what the person allowed for this session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from vllm_tui.domain.hygiene import is_clean
from vllm_tui.domain.tool_runs import ArgumentPattern
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.tool import Tool, digest

Mode = Literal["ask", "listed"]
"""`ask`: a person is asked; `listed`: only the tools that were named may run, and nobody is asked."""


@dataclass(frozen=True, slots=True)
class MayRun:
    """The call may run; `why` is shown with it."""

    why: str


@dataclass(frozen=True, slots=True)
class MustAsk:
    """A person has to decide, for this reason."""

    why: str


@dataclass(frozen=True, slots=True)
class MayNotRun:
    """The call is refused, for this reason."""

    why: str


Permission = MayRun | MustAsk | MayNotRun


class Policy:
    """What may run. Tools that touch the machine run only after a person, or a list the person wrote, allows it."""

    def __init__(self, mode: Mode = "ask", allowed: Collection[str] = (), *, runs_pure: bool = True) -> None:
        self.mode: Mode = mode
        self.allowed = frozenset(allowed)
        self.runs_pure = runs_pure
        self._remembered: list[tuple[str, ArgumentPattern]] = []

    def is_offered(self, name: str) -> bool:
        """Return whether the model is told of a tool at all: always, or in `listed` mode when it is on the list."""
        return self.mode == "ask" or name in self.allowed

    def permission(self, tool: Tool, arguments: JsonObject) -> Permission:
        """Return whether a call with valid arguments may run, must be asked for, or may not run."""
        if self.mode == "listed":
            if tool.name not in self.allowed:
                return MayNotRun(f"{tool.name} is not on the list of allowed tools (--allow-tool {tool.name})")
            return MayRun("on the list of allowed tools") if tool.function else MustAsk("it is answered by hand")
        if tool.function is None:
            return MustAsk("it is answered by hand")
        if tool.pure and self.runs_pure:
            return MayRun("it touches nothing")
        if any(key == tool.fingerprint and is_match(pattern, arguments) for key, pattern in self._remembered):
            return MayRun("allowed for this session")
        if tool.kind == "demo":
            return MustAsk("the demo asks, as a real one would use the network")
        return MustAsk("it touches the machine or the network" if not tool.pure else "every call is asked for")

    def remember(self, tool: Tool, pattern: ArgumentPattern) -> None:
        """Allow calls of exactly this tool (name, description, schema, source) whose arguments match, until the end."""
        self._remembered.append((tool.fingerprint, pattern))

    def forget(self) -> None:
        """Take back everything that was allowed for the session."""
        self._remembered.clear()


def exact_pattern(arguments: JsonObject) -> ArgumentPattern:
    """Return the pattern that only these arguments match."""
    return ArgumentPattern(exact=dict(arguments))


def is_match(pattern: ArgumentPattern, arguments: JsonObject) -> bool:
    """Return whether arguments match a pattern; JSON types count, so `1`, `1.0`, `true` and `"1"` all differ."""
    if set(pattern.exact) | set(pattern.globs) != set(arguments):
        return False
    same = all(digest([arguments[name]]) == digest([value]) for name, value in pattern.exact.items())
    return same and all(_is_glob_match(glob, arguments[name]) for name, glob in pattern.globs.items())


def _is_glob_match(glob: str, value: JsonValue) -> bool:
    if not isinstance(value, str) or not is_clean(value) or "\n" in value:
        return False
    if ".." in value.replace("\\", "/").split("/"):
        return False
    return fnmatchcase(value, glob.replace("[", "[[]"))
