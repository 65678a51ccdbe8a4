"""Cuts a growing text into parts that can be drawn alone, at places where Markdown allows it.

A part is a run of top-level Markdown blocks, a page of a code fence, or some lines of plain text. Parts before the
last one never change again. Only complete lines are looked at, once each, so the work is linear in the text. Source
of the rules: CommonMark 0.31 (fences 4.5, paragraphs 4.8, list items 5.2) and GitHub's tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vllm_tui.ui.transcript.rows import Row

PartKind = Literal["markdown", "code", "plain", "head"]

LINE_LIMIT = 4_000
"""Characters after which a line, or an open part, is cut."""
_PLAIN_LINES, _LIST_LINES, _HARD_LINES = 40, 24, 160
_PAGE_LINES, _PAGE_HARD_LINES = 48, 96
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s`]*)")
_NESTED_FENCE = re.compile(r"[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)*(`{3,}(?=[^`]*$)|~{3,})")
_HEADING = re.compile(r"#{1,6}(?:\s|$)")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_REFERENCE = re.compile(r" {0,3}\[([^\[\]]+)\]:\s*(\S+)")


@dataclass(slots=True, eq=False)
class Part:
    """A piece of a block's text with what was drawn of it.

    `gap`: an empty row comes before it. `before` is text that must be read first but is not drawn (a table's
    header). `number` is the number of the first code block in it. `first` and `last` tell the pages of a fence.
    A `joined` part ends in the midst of a line.
    """

    kind: PartKind
    source: str
    gap: bool = False
    language: str = ""
    first: bool = True
    last: bool = True
    number: int = 1
    before: str = ""
    joined: bool = False
    height: int = 1
    stamp: int = -1
    rows: list[Row] | None = field(default=None, repr=False)

    def estimate(self, width: int) -> int:
        """Return about how many rows the part needs at `width` cells."""
        lines = self.source.count("\n") + 1
        return max(1, lines, ceil(len(self.source) * 1.08 / max(width, 1))) + self.gap

    @property
    def code(self) -> str:
        """Return the code of a part of kind `code`, without its fence."""
        lines = self.source.split("\n")
        end = len(lines) - 1 if self.last and len(lines) > self.first and _closes(lines[-1], lines[0]) else len(lines)
        return "\n".join(line.removesuffix("\r") for line in lines[int(self.first) : end])


def _closes(line: str, opener: str) -> bool:
    match = _FENCE.match(opener)
    mark = match.group(1) if match else line.strip()[:3]
    return len(mark) >= 3 and _closes_mark(line, mark)


def _closes_mark(line: str, mark: str) -> bool:
    found = line.strip()
    return len(found) >= len(mark) and not found.strip(mark[0]) and len(line) - len(line.lstrip(" ")) <= 3


class Splitter:
    """Takes text as it comes and holds it as parts; `plain` text is only cut, never read as Markdown."""

    def __init__(self, *, plain: bool = False) -> None:
        self.parts: list[Part] = []
        self.references: dict[str, dict[str, str]] = {}
        self._plain = plain
        self._tail = ""
        self._lines: list[str] = []
        self._size = 0
        self._open = False
        self._blank = False
        self._gap = False
        self._list = False
        self._fence = ""
        self._nested = ""
        self._language = ""
        self._page = 0
        self._number = 1
        self._opened = 1
        self._table: list[str] = []

    def feed(self, text: str) -> None:
        """Take more text; of the parts there were, only the last may be replaced."""
        if self._open:
            self.parts.pop()
            self._open = False
        *lines, self._tail = (self._tail + text).split("\n")
        for line in lines:
            self._take_long(line)
        while len(self._tail) > LINE_LIMIT:
            self._tail = self._cut(self._tail)
        self._show_open()

    def _take_long(self, line: str) -> None:
        while len(line) > LINE_LIMIT:
            line = self._cut(line)
        self._take(line)

    def _cut(self, line: str) -> str:
        """Close a part in the midst of a line that is too long; return what is left of it."""
        at = line.rfind(" ", LINE_LIMIT // 2, LINE_LIMIT) + 1 or LINE_LIMIT
        self._take(line[:at])
        self._close(gap=False, last=False)
        self.parts[-1].joined = True
        return line[at:]

    def _take(self, line: str) -> None:
        if self._plain:
            if not self.parts and not self._lines and not line.strip():
                return
            self._push(line)
            if line.strip() and (len(self._lines) >= _PLAIN_LINES or self._size > LINE_LIMIT):
                self._close(gap=False)
        elif self._fence:
            self._take_code(line)
        elif not line.strip():
            if self._lines:
                self._push(line)
                self._blank = True
        else:
            self._take_markdown(line)

    def _take_code(self, line: str) -> None:
        if _closes_mark(line, self._fence):
            self._push(line)
            self._close(gap=True)
            self._fence = ""
            return
        page_ends = len(self._lines) >= _PAGE_LINES and line[:1] not in (" ", "\t", "")
        if page_ends or len(self._lines) >= _PAGE_HARD_LINES or self._size > LINE_LIMIT:
            self._close(gap=False, last=False)
            self._page += 1
        self._push(line)

    def _take_markdown(self, line: str) -> None:
        opener = _FENCE.match(line)
        if opener and (not self._list or not line.startswith(" ")):
            self._close(gap=True)
            self._gap = bool(self.parts)
            self._fence, self._language, self._page = opener.group(1), opener.group(2), 0
            self._push(line)
            self._number += 1
            return
        if _HEADING.match(line):
            self._close(gap=True)
            self._push(line)
            self._close(gap=True)
            return
        self._close_before(line)
        if not self._lines:
            self._list = bool(_ITEM.match(line))
        self._push(line)
        self._blank = False
        self._note(line)

    def _close_before(self, line: str) -> None:
        """Close the open part when `line` begins something that can be drawn alone."""
        if self._blank and self._is_new_block(line):
            self._close(gap=True)
        elif self._list and len(self._lines) >= _LIST_LINES and not self._nested and _ITEM.match(line):
            self._close(gap=self._blank)
        elif len(self._lines) >= _HARD_LINES or self._size > 2 * LINE_LIMIT:
            header = self._table or (self._lines[:2] if self._is_table() else [])
            self._close(gap=False)
            self._table = header

    def _is_new_block(self, line: str) -> bool:
        if self._list:
            return line[0] not in " \t" and not _ITEM.match(line)
        return not line.startswith(("    ", "\t"))

    def _is_table(self) -> bool:
        lines = self._lines
        return len(lines) > 1 and "|" in lines[0] and "-" in lines[1] and bool(_DELIMITER.match(lines[1]))

    def _note(self, line: str) -> None:
        """Count code blocks inside lists and quotes, and remember link targets given elsewhere."""
        if "[" in line and (found := _REFERENCE.match(line)):
            self.references[" ".join(found.group(1).split()).upper()] = {"href": found.group(2), "title": ""}
        fence = _NESTED_FENCE.match(line)
        if not fence:
            return
        if self._nested and fence.group(1).startswith(self._nested):
            self._nested = ""
        elif not self._nested:
            self._nested = fence.group(1)
            self._number += 1

    def _push(self, line: str) -> None:
        if not self._lines:
            self._opened = self._number
        self._lines.append(line)
        self._size += len(line) + 1

    def _close(self, *, gap: bool, last: bool = True) -> None:
        if self._lines:
            self.parts.append(self._part("\n".join(self._lines), last=last))
            self._lines, self._size, self._table = [], 0, []
            self._gap = gap
        self._blank = self._list = False
        self._nested = ""

    def _show_open(self) -> None:
        lines = [*self._lines, self._tail] if self._tail else self._lines
        if lines and (self._plain or self._fence or any(line.strip() for line in lines)):
            if not self._lines:
                self._opened = self._number
            is_closed = bool(self._fence and self._lines) and _closes_mark(self._tail, self._fence)
            self.parts.append(self._part("\n".join(lines), last=is_closed))
            self._open = True

    def _part(self, source: str, *, last: bool) -> Part:
        if self._plain:
            return Part("plain", source if last else source.rstrip("\n"))
        gap = self._gap and bool(self.parts)
        if self._fence:
            return Part("code", source, gap, self._language, self._page == 0, last, self._number - 1)
        before = "".join(line + "\n" for line in self._table)
        return Part("markdown", source.rstrip(), gap, number=self._opened, before=before)
