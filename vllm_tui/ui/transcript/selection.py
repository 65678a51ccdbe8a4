"""Text selection by the mouse: rows get coordinates that stay true while text streams in, and give their source.

A coordinate's y is the position of the block and the row in it, so rows that come or go elsewhere change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Offset
from textual.selection import Selection

from vllm_tui.ui.transcript.layout import Layout, Seen
from vllm_tui.ui.transcript.paint import MARGIN
from vllm_tui.ui.transcript.rows import Row

if TYPE_CHECKING:
    from vllm_tui.ui.transcript.window import Window

_ROWS_OF_BLOCK = 1 << 24


def coordinate(layout: Layout, seen: Seen) -> int:
    """Return the y of a row."""
    return layout.order(seen.block.id) * _ROWS_OF_BLOCK + seen.number + 1


def span_of(window: Window, seen: Seen, selection: Selection | None) -> tuple[int, int] | None:
    """Return the selected characters of a row (start, end; end -1 is the row's end), without the gutter."""
    found = None if selection is None else selection.get_span(coordinate(window.layout, seen))
    return None if found is None else _without_margin(found, seen.row)


def selected_text(window: Window, selection: Selection) -> str:
    """Return the source of what is selected: without the gutter, with wrapped lines whole again."""
    layout = window.layout
    last = len(layout.ids(0, 1 << 60)) - 1
    start = selection.start or Offset(0, 0)
    end = selection.end or Offset(0, (last + 1) * _ROWS_OF_BLOCK)
    blocks: list[str] = []
    for order in range(max(start.y // _ROWS_OF_BLOCK, 0), min(end.y // _ROWS_OF_BLOCK, last) + 1):
        for block_id in layout.ids(order, order):
            pieces: list[str] = []
            for number, row in enumerate(layout.block_rows(block_id)):
                found = selection.get_span(order * _ROWS_OF_BLOCK + number + 1)
                if found is not None and not (row.quiet and not row.source):
                    pieces += _text_of(row, _without_margin(found, row))
            blocks.append("".join(pieces).strip("\n"))
    return "\n\n".join(text for text in blocks if text)


def _without_margin(span: tuple[int, int], row: Row) -> tuple[int, int] | None:
    start = max(span[0] - MARGIN, row.lead)
    end = len(row.text) if span[1] < 0 else min(span[1] - MARGIN, len(row.text))
    return (start, end) if start < end or not row.text[row.lead :] else None


def _text_of(row: Row, span: tuple[int, int] | None) -> list[str]:
    if span is None:
        return []
    start, end = span
    is_whole = start <= row.lead and end >= len(row.text.rstrip())
    text = row.source if is_whole and row.source is not None else row.text[start:end].rstrip()
    if end < len(row.text.rstrip()):
        return [text]
    return [text, "\n" if row.join is None else row.join]
