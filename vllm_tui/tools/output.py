"""Makes of what a tool returned what a model and a person can be given: text or JSON, bounded; bytes described."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.values import JsonValue
from vllm_tui.tools.schema import oversize
from vllm_tui.tools.tool import ToolOutput

MAX_CHARACTERS = 100_000
"""Characters of a result that the model is given, unless configured otherwise."""
_MAX_JSON = 50_000_000
_KNOWN = (
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A bounded result; `notes` say what was cut or described."""

    output: JsonValue
    notes: tuple[str, ...] = ()


def show_output(output: ToolOutput, limit: int = MAX_CHARACTERS) -> Shown:
    """Return a tool's output within `limit` characters. JSON that is too long becomes cut text."""
    if isinstance(output, bytes):
        text = decode_text(output)
        if text is None:
            words = describe_binary(output)
            return Shown(words, ("binary output was described, not shown",))
        return _cut(text, limit)
    if isinstance(output, str):
        return _cut(without_surrogates(output), limit)
    too_much = oversize(output, _MAX_JSON)
    if too_much:
        return Shown(f"The tool returned a value {too_much}.", (f"the result was {too_much}",))
    return _show_json(output, limit)


def _show_json(output: JsonValue, limit: int) -> Shown:
    text = without_surrogates(json.dumps(output, ensure_ascii=False))
    if len(text) > limit:
        return _cut(text, limit)
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return Shown(text, ("a number that JSON does not know made the result text",))
    return Shown(value)


def _refuse(constant: str) -> JsonValue:
    raise ValueError(constant)


def decode_text(data: bytes) -> str | None:
    """Return UTF-8 bytes as text, or None when they are binary (no UTF-8, or NUL bytes)."""
    if b"\x00" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_short = error.start >= len(data) - 3 and error.reason == "unexpected end of data"
        return data[: error.start].decode("utf-8") if cut_short else None


def describe_binary(data: bytes) -> str:
    """Say what binary data looks like, in one line."""
    kind = next((words for start, words in _KNOWN if data.startswith(start)), "of an unknown kind")
    return f"Binary data: {len(data):,} bytes, {kind}, beginning with {data[:8].hex(' ')}."


def _cut(text: str, limit: int) -> Shown:
    if len(text) <= limit:
        return Shown(text)
    note = f"cut to the first {limit:,} of {len(text):,} characters"
    return Shown(f"{text[:limit]}\n[{note}]", (note,))
