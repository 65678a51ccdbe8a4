"""Remembers what the tools of other servers looked like when they were accepted, so that a change is noticed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from vllm_tui.domain.errors import ConfigurationError
from vllm_tui.domain.hygiene import is_clean
from vllm_tui.domain.values import JsonObject
from vllm_tui.tools.tool import Tool, digest

_MAX_DESCRIPTION = 10_000


class Pins:
    """SHA-256 hashes of each tool's description and schema by `server/tool`; kept in a file (0600) or in memory.

    A tool is accepted as it is when it is seen for the first time, unless it hides something.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file if there is one; raises ConfigurationError when it can't be read."""
        self._path = path
        self._known: dict[str, JsonObject] = {}
        if path is not None and path.exists():
            self._known = _load(path)

    def difference(self, tool: Tool) -> str | None:
        """Say why a tool has to be read by a person before it is offered, or None; a new plain tool is pinned."""
        key, marks = _key(tool), _marks(tool)
        known = self._known.get(key)
        if known == marks:
            return None
        if known is not None:
            parts = [part for part in marks if marks[part] != known.get(part)]
            return f"its {' and '.join(parts)} changed since it was accepted"
        hidden = _hidden(tool)
        if hidden is None:
            self.accept(tool)
        return hidden

    def accept(self, tool: Tool) -> None:
        """Take a tool as it is now; `save` keeps it."""
        self._known[_key(tool)] = _marks(tool)

    def save(self) -> None:
        """Write the file. Raises ConfigurationError when it can't be written."""
        if self._path is not None:
            _save(self._path, self._known)


def _key(tool: Tool) -> str:
    return f"{tool.origin}/{tool.name}"


def _marks(tool: Tool) -> JsonObject:
    return {"description": digest(tool.spec.description), "schema": digest(tool.spec.parameters)}


def _hidden(tool: Tool) -> str | None:
    description = tool.spec.description or ""
    if len(description) > _MAX_DESCRIPTION:
        return f"its description is {len(description):,} characters long"
    texts = {"description": description, "schema": _schema_text(tool)}
    found = [part for part, text in texts.items() if not is_clean(text)]
    return f"its {' and '.join(found)} holds hidden characters" if found else None


def _schema_text(tool: Tool) -> str:
    """Return all texts of the schema; JSON would write control characters as harmless escapes."""
    pending, texts = [tool.spec.parameters], list[str]()
    while pending:
        for key, value in pending.pop().items():
            entries = value if isinstance(value, list) else [value]
            pending += [entry for entry in entries if isinstance(entry, dict)]
            texts += [key, *(entry for entry in entries if isinstance(entry, str))]
    return " ".join(texts)


def _load(path: Path) -> dict[str, JsonObject]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"The list of accepted tools, {path}, can't be read: {error}.",
            hint="Remove it to accept the tools of your servers anew.",
        ) from error
    return (
        {str(key): marks for key, marks in value.items() if isinstance(marks, dict)} if isinstance(value, dict) else {}
    )


def _save(path: Path, known: dict[str, JsonObject]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        Path(name).replace(path)
    except OSError as error:
        raise ConfigurationError(f"The list of accepted tools, {path}, can't be written: {error.strerror}.") from error
