"""A tool: what the model is told about it, where it comes from, and what runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.tool_runs import SourceKind
from vllm_tui.domain.values import JsonObject, JsonValue

ToolOutput = JsonValue | bytes
"""What a tool may return: JSON, text, or bytes (described, never shown raw)."""

ToolFunction = Callable[[JsonObject], Awaitable[ToolOutput]]


class ToolFailed(Exception):
    """A tool could not do what was asked; the message goes to the model as the result."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `function` is None when a person answers in its place; `pure` tools touch nothing.

    `origin` is the module, file or server it came from, `title` its name for people.
    """

    spec: ToolSpec
    kind: SourceKind
    function: ToolFunction | None
    origin: str = "vllm-tui"
    pure: bool = False
    title: str = ""

    @property
    def name(self) -> str:
        """Return the name the model calls it by."""
        return self.spec.name

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of name, description, schema and origin."""
        return digest([self.name, self.spec.description, self.spec.parameters, self.kind, self.origin])


def digest(value: JsonValue) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def call_fingerprint(name: str, arguments: JsonObject | str) -> str:
    """Return what an approval is bound to: the SHA-256 (hex) of a tool's name and arguments."""
    return digest([name, arguments])
