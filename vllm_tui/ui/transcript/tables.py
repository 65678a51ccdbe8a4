"""Tables that fit the width: cells are wrapped, and what can't be a table becomes a list of its fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from vllm_tui.ui.transcript.ink import STRONG, Ink
from vllm_tui.ui.transcript.rows import Line, Span, wrap

Cell = list[Span]
_GAP = " │ "
_LEAST = 4
_WORD_LIMIT = 18


@dataclass(slots=True)
class Table:
    """Rows of cells, the header first; `aligns` has left, right or center for each column."""

    rows: list[list[Cell]] = field(default_factory=list)
    aligns: list[str] = field(default_factory=list)
    is_continued: bool = False


def table_lines(table: Table, width: int, ink: Ink) -> list[Line]:
    """Return the table's lines, at most `width` cells wide; a continued table shows no header."""
    if not table.rows:
        return []
    widths = column_widths(table, width)
    if not widths:
        return _records(table, width, ink)
    header, *body = table.rows
    blocks = [_row(row, widths, table.aligns, ink) for row in body]
    lines: list[Line] = []
    if not table.is_continued:
        head = [[(text, style + STRONG, link) for text, style, link in cell] for cell in header]
        lines += _row(head, widths, table.aligns, ink)
        lines.append(_rule("─", "─┼─", widths, ink, source="|" + "---|" * len(widths)))
    is_tall = any(len(block) > 1 for block in blocks)
    for number, block in enumerate(blocks):
        if number and is_tall:
            lines.append(_rule("╌", "╌┼╌", widths, ink))
        lines += block
    return lines


def column_widths(table: Table, width: int) -> list[int]:
    """Return the cells each column gets, none when the table can't be drawn in `width`."""
    count = len(table.rows[0])
    room = width - len(_GAP) * (count - 1)
    natural, least = [1] * count, [1] * count
    for row in table.rows:
        for at, cell in enumerate(row[:count]):
            text = "".join(span[0] for span in cell)
            natural[at] = max(natural[at], *(cell_len(line) for line in text.split("\n")))
            words = text.split()
            if words:
                least[at] = max(least[at], min(max(map(cell_len, words)), _WORD_LIMIT))
    if sum(natural) <= room:
        return natural
    if room < count * _LEAST:
        return []
    if sum(least) > room:
        least = _shrink(least, room)
    wanted = [max(n - m, 0) for n, m in zip(natural, least, strict=True)]
    spare = room - sum(least)
    shares = [spare * want // max(sum(wanted), 1) for want in wanted]
    return [m + share for m, share in zip(least, shares, strict=True)]


def _shrink(widths: Sequence[int], room: int) -> list[int]:
    """Take cells from the widest columns until they fit."""
    found = list(widths)
    while sum(found) > room:
        found[found.index(max(found))] -= 1
    return found


def _row(cells: list[Cell], widths: list[int], aligns: list[str], ink: Ink) -> list[Line]:
    columns = [wrap(cell, size) for cell, size in zip(cells, widths, strict=False)]
    source = "| " + " | ".join("".join(span[0] for span in cell) for cell in cells) + " |"
    lines: list[Line] = []
    for number in range(max((len(column) for column in columns), default=1)):
        spans: list[Span] = []
        for at, size in enumerate(widths):
            content = columns[at][number].spans if at < len(columns) and number < len(columns[at]) else []
            spans += [(_GAP, ink.line, "")] if at else []
            spans += _aligned(content, size, aligns[at] if at < len(aligns) else "left", ink, at == len(widths) - 1)
        lines.append(Line(spans, source=source if number == 0 else "", quiet=number > 0))
    return lines


def _aligned(spans: list[Span], width: int, align: str, ink: Ink, is_last: bool) -> list[Span]:
    room = max(width - sum(cell_len(span[0]) for span in spans), 0)
    left = room if align == "right" else room // 2 if align == "center" else 0
    right = 0 if is_last else room - left
    return [(" " * left, ink.text, ""), *spans, (" " * right, ink.text, "")]


def _rule(mark: str, cross: str, widths: list[int], ink: Ink, source: str | None = None) -> Line:
    text = cross.join(mark * size for size in widths)
    return Line([(text, ink.line, "")], source=source, quiet=source is None)


def _records(table: Table, width: int, ink: Ink) -> list[Line]:
    """Return each row as `header: value` lines, for widths where columns make no sense."""
    header, *body = table.rows
    lines: list[Line] = []
    for row in body:
        if lines:
            lines.append(Line([("╌" * min(width, 12), ink.line, "")], quiet=True))
        for name, cell in zip(header, row, strict=False):
            spans = [(text, style + STRONG, link) for text, style, link in name]
            lines += wrap([*spans, (": ", ink.quiet, ""), *cell], width)
    return lines or wrap([span for cell in header for span in (*cell, ("  ", ink.text, ""))], width)
