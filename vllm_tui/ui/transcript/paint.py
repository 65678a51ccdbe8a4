"""Rows of the window as strips, with the block cursor and the selection; and which of them must be painted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from vllm_tui.ui.transcript.ink import Ink
from vllm_tui.ui.transcript.rows import Row

CURSOR = "▌"
MARGIN = 1
"""Cells at the left of every row that hold the cursor."""


@dataclass(slots=True)
class Painted:
    """One row of the window as it is shown: with the cursor or not, and the selected characters (start, end)."""

    row: Row | None
    has_cursor: bool = False
    span: tuple[int, int] | None = None

    def looks_like(self, other: Painted) -> bool:
        """Return whether both give the same cells."""
        if self.has_cursor != other.has_cursor or self.span != other.span:
            return False
        mine, its = self.row, other.row
        if mine is its:
            return True
        return mine is not None and its is not None and mine.fill == its.fill and mine.segments == its.segments


def to_strip(painted: Painted, width: int, ink: Ink, selection: Style) -> Strip:
    """Return the row as `width` cells."""
    row = painted.row
    if row is None:
        return Strip([Segment(" " * width, ink.text)], width)
    margin = Segment(CURSOR, ink.cursor) if painted.has_cursor else Segment(" " * MARGIN, ink.text)
    segments = row.segments
    if painted.span is not None:
        segments = _highlight(segments, *painted.span, selection)
    room = width - MARGIN - row.cells
    if room <= 0:
        return Strip([margin, *segments], MARGIN + row.cells).crop(0, width)
    last = segments[-1] if segments else None
    if last is not None and last.style == row.fill:
        segments = [*segments[:-1], Segment(last.text + " " * room, row.fill)]
    else:
        segments = [*segments, Segment(" " * room, row.fill)]
    if segments and segments[0].style == margin.style:
        return Strip([Segment(margin.text + segments[0].text, margin.style), *segments[1:]], width)
    return Strip([margin, *segments], width)


def _highlight(segments: Sequence[Segment], start: int, end: int, style: Style) -> list[Segment]:
    found: list[Segment] = []
    at = 0
    for piece in segments:
        text, own, _ = piece
        first, last = max(start - at, 0), len(text) if end < 0 else min(end - at, len(text))
        if first < last:
            parts = ((text[:first], own), (text[first:last], (own or Style()) + style), (text[last:], own))
            found += [Segment(content, look) for content, look in parts if content]
        else:
            found.append(piece)
        at += len(text)
    return found


def changed_regions(before: Sequence[Painted], now: Sequence[Painted], width: int, base: Style) -> list[Region]:
    """Return the regions to paint again; cells that were and are empty at the right are left out."""
    regions: list[Region] = []
    for y, painted in enumerate(now):
        old = before[y] if y < len(before) else None
        if old is not None and old.looks_like(painted):
            continue
        size = width if old is None else max(_extent(old, width, base), _extent(painted, width, base))
        regions.append(Region(0, y, min(size, width), 1))
    return regions


def _extent(painted: Painted, width: int, base: Style) -> int:
    row = painted.row
    if row is None:
        return MARGIN
    return MARGIN + row.cells if row.fill == base else width
