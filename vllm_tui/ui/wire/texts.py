"""How exchanges and their parts are written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from textual.content import Content

from vllm_tui.ui.content import line, shown_line

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonValue
    from vllm_tui.domain.wire import WireEventRow, WireMessage, WireSummary

ENDINGS: dict[str, tuple[str, str]] = {
    "complete": ("✓", "$success"),
    "broken": ("✗", "$error"),
    "cancelled": ("–", "$quiet"),
    "open": ("…", "$accent"),
}
"""Mark and colour of how an exchange ended."""


def size_words(size: int) -> str:
    """Return bytes as `512 B` or `4.2 kB`."""
    return f"{size:,} B" if size < 1000 else f"{size / 1000:,.1f} kB" if size < 1_000_000 else f"{size / 1e6:,.1f} MB"


def exchange_line(entry: WireSummary, width: int) -> Content:
    """Return an exchange as a line of the list."""
    mark, style = ENDINGS[entry.ending]
    if entry.status is not None and entry.status >= 400:
        mark, style = "✗", "$error"
    status = "   " if entry.status is None else str(entry.status)
    path = urlsplit(entry.url).path.rpartition("/")[2] or "/"
    again = f" ↻{entry.attempt}" if entry.attempt > 1 else ""
    tail = f"{entry.seconds:.2f} s"
    name = shown_line(entry.note or path)
    if len(name) + len(again) + len(tail) + 12 > width and not entry.note:
        name = ""
    label = Content(f"{entry.number:>3} {status} {name}{again}")
    label = label.truncate(max(width - len(tail) - 3, 6), ellipsis=True)
    gap = " " * max(width - label.cell_length - len(tail) - 2, 1)
    return Content.assemble((f"{mark} ", style), label, gap, tail)


def about_line(entry: WireSummary, question: str, width: int) -> Content:
    """Return what an exchange belongs to and how it went, on one line."""
    when = datetime.fromtimestamp(entry.started_at).astimezone().strftime("%H:%M:%S")
    facts = [when, f"{entry.seconds:.2f} s", size_words(entry.size)]
    if entry.events:
        facts.append(f"{entry.events:,} events")
    if entry.cut:
        facts.append(f"{entry.cut:,} later ones not kept")
    facts.append({"open": "still coming"}.get(entry.ending, entry.ending))
    about = f"  “{shown_line(question)}”" if question else ""
    return Content.assemble(" · ".join(facts), (about, "$quiet")).truncate(width, ellipsis=True)


def head_lines(entry: WireSummary, request: WireMessage, answer: WireMessage) -> Content:
    """Return method, address, status and all headers."""
    rows = [Content.assemble((f"{entry.method} ", "bold"), line(entry.url)), *_headers(request.headers), Content("")]
    if entry.status is None:
        rows.append(Content.styled("no answer" if entry.ending != "open" else "no answer yet", "$quiet"))
    else:
        rows += [Content.styled(f"HTTP {entry.status}", "bold"), *_headers(answer.headers)]
    if entry.error:
        rows += [Content(""), Content.styled(f"✗ {shown_line(entry.error)}", "$error")]
    return Content("\n").join(rows)


def _headers(headers: Sequence[tuple[str, str]]) -> list[Content]:
    return [Content.assemble((f"{shown_line(name)}: ", "$quiet"), line(value)) for name, value in headers]


def flags_line(rows: Sequence[WireEventRow]) -> Content:
    """Return all oddities of a stream with how often each was found."""
    found: dict[str, int] = {}
    for row in rows:
        for flag in row.flags:
            found[flag] = found.get(flag, 0) + 1
    gaps = sum(row.is_gap for row in rows)
    words = [f"{flag} ×{count}" if count > 1 else flag for flag, count in found.items()]
    parts = [Content.styled(f"! {' · '.join(words)}", "$warning")] if words else []
    if gaps:
        parts.append(Content.styled(f"» {gaps} gap{'' if gaps == 1 else 's'}", "$warning"))
    return Content("   ").join(parts) if parts else Content.styled("nothing odd", "$quiet")


def parsed(text: str) -> JsonValue:
    """Return text as JSON, or as it is."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
