"""Lines of styled text, wrapped by cell width and never inside a cluster, and the rows they become on screen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style

from vllm_tui.ui.content import segment

Span = tuple[str, Style, str]
"""Text, its style, and the address it links to ("" for none)."""
_NOT_NARROW = re.compile("[^\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u2010-\u2015\u2018-\u201e\u2026\u2500-\u25fc]")


@dataclass(slots=True)
class Line:
    """One line to draw.

    `lead` characters at its start were added by the program and are never copied. `join` is what stood between this
    line and the next in the source, None for a line break. `source` is copied in place of the text when the whole
    line is chosen; a `quiet` line has nothing to copy. `fill` colours the line to its end.
    """

    spans: list[Span]
    join: str | None = None
    lead: int = 0
    source: str | None = None
    quiet: bool = False
    fill: Style | None = None


@dataclass(slots=True, eq=False)
class Row:
    """A line as it is painted; `links` are (first cell, cell after, address)."""

    segments: list[Segment]
    text: str
    cells: int
    lead: int
    join: str | None
    source: str | None
    quiet: bool
    fill: Style
    links: list[tuple[int, int, str]] = field(default_factory=list)


def is_narrow(text: str) -> bool:
    """Return whether every character takes exactly one cell."""
    return _NOT_NARROW.search(text) is None


def break_text(text: str, width: int, *, words: bool = True) -> list[tuple[int, int, str | None]]:
    """Return where each line of `text` begins and ends, and what joins it to the next (None: a line break)."""
    width = max(width, 2)
    found: list[tuple[int, int, str | None]] = []
    at = 0
    for line in text.split("\n"):
        if len(line) <= width and is_narrow(line):
            found.append((at, at + len(line), None))
        elif is_narrow(line):
            found += _break_narrow(line, at, width, words)
        else:
            found += _break_wide(line, at, width, words)
        at += len(line) + 1
    return found


def _break_narrow(line: str, offset: int, width: int, words: bool) -> list[tuple[int, int, str | None]]:
    found: list[tuple[int, int, str | None]] = []
    at, length = 0, len(line)
    while length - at > width:
        end = following = at + width
        if words and line[end] != " ":
            space = line.rfind(" ", at + 1, end)
            if space > at and line[at:space].strip():
                end = following = space
        if words:
            while following < length and line[following] == " ":
                following += 1
            while end > at + 1 and line[end - 1] == " ":
                end -= 1
        found.append((offset + at, offset + end, line[end:following]))
        at = following
    if at < length or not found:
        found.append((offset + at, offset + length, None))
    else:
        found[-1] = (*found[-1][:2], None)
    return found


def _break_wide(line: str, offset: int, width: int, words: bool) -> list[tuple[int, int, str | None]]:
    found: list[tuple[int, int, str | None]] = []
    begin = cells = 0
    good = -1
    good_cells = 0
    for start, _, size in split_graphemes(line)[0]:
        while cells + size > width and start > begin:
            cut = good if words and good > begin else start
            joined = line[begin:cut].rstrip(" ") if words else line[begin:cut]
            end = begin + max(len(joined), 1)
            found.append((offset + begin, offset + end, line[end:cut]))
            cells = cells - good_cells if cut == good else 0
            begin, good, good_cells = cut, -1, 0
        if start > begin and (size == 2 or line[start - 1] == " ") and line[begin:start].strip():
            good, good_cells = start, cells
        cells += size
    found.append((offset + begin, offset + len(line), None))
    return found


def wrap(spans: Sequence[Span], width: int, *, words: bool = True) -> list[Line]:
    """Return `spans` broken into lines of at most `width` cells."""
    text = "".join(span[0] for span in spans)
    lines: list[Line] = []
    index = used = 0
    for begin, end, join in break_text(text, width, words=words):
        line: list[Span] = []
        while index < len(spans) and used + len(spans[index][0]) <= begin:
            used += len(spans[index][0])
            index += 1
        at, start = index, used
        while at < len(spans) and start < end:
            content, style, link = spans[at]
            piece = content[max(begin - start, 0) : end - start]
            if piece:
                line.append((piece, style, link))
            start += len(content)
            at += 1
        lines.append(Line(line, join))
    return lines


def indent(lines: Iterable[Line], first: Span, rest: Span) -> list[Line]:
    """Put `first` before the first line and `rest` before the others."""
    prefix, found = first, []
    for line in lines:
        found.append(replace(line, spans=[prefix, *line.spans], lead=line.lead + len(prefix[0])))
        prefix = rest
    return found


def shorten(text: str, width: int) -> str:
    """Return `text` cut to `width` cells with an ellipsis where something was left out."""
    if cell_len(text) <= width:
        return text
    cells = 0
    for start, _, size in split_graphemes(text)[0]:
        if cells + size > width - 1:
            return text[:start].rstrip() + "…"
        cells += size
    return text


def pad(text: str, width: int, align: str = "left") -> str:
    """Return `text` with spaces up to `width` cells."""
    room = max(width - cell_len(text), 0)
    if align == "right":
        return " " * room + text
    left = room // 2 if align == "center" else 0
    return " " * left + text + " " * (room - left)


def to_row(line: Line, base: Style) -> Row:
    """Return the line as it is painted; neighbours of one style become one piece."""
    pieces: list[Segment] = []
    links: list[tuple[int, int, str]] = []
    cells = 0
    text: list[str] = []
    for content, style, link in _merged(line.spans):
        piece = segment(content, style)
        size = cell_len(piece.text)
        if link:
            links.append((cells, cells + size, link))
        cells += size
        text.append(piece.text)
        pieces.append(piece)
    return Row(pieces, "".join(text), cells, line.lead, line.join, line.source, line.quiet, line.fill or base, links)


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        if found and found[-1][1] == span[1] and found[-1][2] == span[2]:
            found[-1] = (found[-1][0] + span[0], span[1], span[2])
        elif span[0]:
            found.append(span)
    return found
