"""What is said about tool calls: states, verdicts, arguments field by field, results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from vllm_tui.ui.content import line, plain, shown_line

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import CallRequest, FieldVerdict, Verdict
    from vllm_tui.domain.values import JsonValue
    from vllm_tui.ui.calls.entries import CallEntry, EntryState

MOST_LINES, MOST_CHARACTERS = 2_000, 100_000
"""What a pane shows of a very long text; copying takes all of it."""

_BAR_CHARACTERS, _CUT = 3_000, "…⁂"

STATES: dict[EntryState, tuple[str, str, str]] = {
    "streaming": ("…", "streaming", "$accent"),
    "unanswered": ("–", "not answered", "$quiet"),
    "waiting": ("?", "waiting for you", "$warning"),
    "running": ("▸", "running", "$accent"),
    "done": ("✓", "done", "$success"),
    "answered": ("✓", "answered by hand", "$success"),
    "refused": ("✗", "refused", "$error"),
    "failed": ("✗", "failed", "$error"),
    "timed_out": ("✗", "timed out", "$error"),
    "cancelled": ("–", "cancelled", "$quiet"),
    "invalid": ("✗", "bad arguments", "$error"),
    "unknown": ("✗", "no such tool", "$error"),
}
"""Mark, words and colour of every state."""


_SHORT = {"waiting for you": "waiting", "answered by hand": "by hand", "not answered": "no answer", "done": ""}


def state_of(entry: CallEntry) -> Content:
    """Return where a call stands, in words."""
    mark, words, style = STATES[entry.state]
    return Content.styled(f"{mark} {words}", style)


def entry_line(entry: CallEntry, width: int) -> Content:
    """Return a call as a line of the list."""
    mark, words, style = STATES[entry.state]
    tail = f"{entry.seconds:.1f} s" if entry.seconds is not None and entry.state == "done" else _SHORT.get(words, words)
    name = shown_line(entry.name) or "…"
    name = f"{name} (again)" if entry.rerun else name
    bad = "!" if entry.record is not None and not entry.record.verdict.is_valid else " "
    if len(name) + len(tail) + 4 > width:
        tail = ""
    room = max(width - len(tail) - 4, 6)
    label = Content(name).truncate(room, ellipsis=True)
    gap = " " * max(width - label.cell_length - len(tail) - 4, 1)
    return Content.assemble((mark, style), (bad, "$warning"), " ", label, gap, tail)


def counts_line(entries: tuple[CallEntry, ...]) -> Content:
    """Return how many calls stand where."""
    groups = (
        ("✓", "$success", ("done", "answered")),
        ("✗", "$error", ("refused", "failed", "timed_out", "invalid", "unknown")),
        ("?", "$warning", ("waiting",)),
        ("–", "$quiet", ("cancelled", "unanswered")),
    )
    words: dict[str, str] = {"?": " waiting for you", "–": " not answered"}
    parts: list[Content] = []
    for mark, style, states in groups:
        count = sum(entry.state in states for entry in entries)
        if count:
            parts.append(Content.styled(f"{mark} {count}{words.get(mark, '')}", style))
    return Content("   ").join(parts)


def verdict_lines(verdict: Verdict, width: int) -> Content:
    """Return the arguments field by field: what the schema expects, what came, and whether it fits."""
    if not verdict.fields:
        return Content.styled("no arguments", "$quiet")
    names = [shown_line(field.path) or "arguments" for field in verdict.fields]
    column = min(max(len(name) for name in names), max(width // 3, 8))
    return Content("\n").join(_field(name, field, column) for name, field in zip(names, verdict.fields, strict=True))


def _field(name: str, field: FieldVerdict, column: int) -> Content:
    label = Content(name).truncate(column, ellipsis=True)
    gap = " " * (column - label.cell_length + 2)
    expected = shown_line(field.expected)
    if field.problem is None:
        return Content.assemble(("✓ ", "$success"), label, gap, line(field.got), ("  " + expected, "$quiet"))
    problem = shown_line(field.problem)
    wanted = "" if expected in ("nothing", "anything") or expected in problem else f"  expected {expected}"
    return Content.assemble(("✗ ", "$error"), label, gap, (problem, "$error"), (wanted, "$quiet"))


def verdict_words(verdict: Verdict) -> str:
    """Return in a few words whether arguments fit their schema."""
    count = len(verdict.problems)
    if not count:
        return "the arguments fit the schema"
    return f"{count} argument{' does' if count == 1 else 's do'} not fit the schema"


def request_lines(request: CallRequest, width: int, most: int) -> tuple[Content, int]:
    """Return all the arguments of a waiting call, at most `most` lines, and at least how many lines were left out."""
    if request.arguments is None:
        raw = request.call.raw_arguments or str(request.call.input)
        lines = [_cut(text) for text in raw[: _BAR_CHARACTERS * most].split("\n")[: most + 1]]
        lines.insert(0, Content.styled(f"✗ {shown_line(request.call.problem or 'no JSON object')}", "$error"))
    else:
        problems = {field.path: field.problem for field in request.verdict.problems if field.problem}
        lines = [_argument(name, value, problems.pop(name, None)) for name, value in request.arguments.items()]
        lines += [Content.assemble(("✗ ", "$error"), line(f"{path}: {what}")) for path, what in problems.items()]
    rows = [row for entry in lines for row in entry.wrap(max(width, 10))] if lines else [Content("no arguments")]
    is_cut = any(entry.plain.endswith(_CUT) for entry in lines)
    return Content("\n").join(rows[:most]), max(int(is_cut), len(rows) - most)


def _argument(name: str, value: JsonValue, problem: str | None) -> Content:
    shown = _cut(json.dumps(value, ensure_ascii=False))
    mark = Content.styled("✗ ", "$error") if problem else Content("  ")
    tail = Content.styled(f"   ✗ {shown_line(problem)}", "$error") if problem else Content("")
    return Content.assemble(mark, (f"{shown_line(name)}: ", "$quiet"), shown, tail)


def fitted_keys(keys: Sequence[tuple[str, str]], width: int) -> Content:
    """Return keys with what they do on one line; what has no room is left out from before the last one."""
    items = [Content.assemble((key, "bold"), (f" {label}", "$quiet")) for key, label in keys]
    last = items.pop()
    while items and sum(item.cell_length + 2 for item in items) + last.cell_length > width:
        items.pop()
    return Content("  ").join([*items, last])


def _cut(text: str) -> Content:
    """Return a line for the bar; a very long one ends in a mark."""
    return line(text) if len(text) <= _BAR_CHARACTERS else line(text[:_BAR_CHARACTERS] + _CUT)


def json_text(value: JsonValue) -> str:
    """Return a value as indented JSON; text stays text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def bounded(text: str) -> Content:
    """Return a text as it may be shown, cut where a pane would choke on it."""
    cut = text[:MOST_CHARACTERS]
    lines = cut.split("\n")
    shown = plain("\n".join(lines[:MOST_LINES]))
    if len(cut) == len(text) and len(lines) <= MOST_LINES:
        return shown
    note = f"\n… cut here for the screen: {len(text):,} characters in all; y copies everything"
    return Content.assemble(shown, (note, "$warning"))


def fragment_lines(entry: CallEntry) -> Iterator[Content]:
    """Return the fragments of the arguments as they arrived, with their times."""
    last = 0.0
    for number, fragment in enumerate(entry.fragments, 1):
        told = f"{number:>4}  {fragment.seconds:7.3f} s  +{fragment.seconds - last:.3f}  "
        last = fragment.seconds
        yield Content.assemble((told, "$quiet"), line(json.dumps(fragment.text, ensure_ascii=False)))
