"""Lays tokens out in rows of a width: what a token may show, where rows break, which token stands where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from vllm_tui.ui.content import shown_line

_BREAK, _TAB, _SPACE = "⏎", "→", "·"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a row: the number of its token, and what is shown of it."""

    token: int
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows, the first token of each row, and the first row of each token."""

    rows: tuple[tuple[Cell, ...], ...]
    first_tokens: tuple[int, ...]

    def row_of(self, token: int) -> int:
        """Return the row in which a token begins."""
        if not self.rows:
            return 0
        row = max(bisect_right(self.first_tokens, token) - 1, 0)
        while row > 0 and self.first_tokens[row - 1] == token:
            row -= 1
        if row and self.first_tokens[row] == token and any(cell.token == token for cell in self.rows[row - 1]):
            row -= 1
        return row


def visible(text: str) -> str:
    """Return a token's text as it is shown: spaces, tabs and line feeds visible, nothing that commands a terminal."""
    marked = text.replace("\r\n", "\n").replace("\n", f"{_BREAK}\n").replace("\t", _TAB)
    return "\n".join(shown_line(line.replace(" ", _SPACE)) for line in marked.split("\n"))


def lay_out(texts: Sequence[str], width: int) -> Rows:
    """Return the tokens in rows of at most `width` cells; a line feed in a token ends its row."""
    rows: list[tuple[Cell, ...]] = []
    row: list[Cell] = []
    used = 0

    def end() -> None:
        nonlocal row, used
        rows.append(tuple(row))
        row, used = [], 0

    for number, text in enumerate(texts):
        lines = visible(text).split("\n")
        for at, part in enumerate(lines):
            for piece in _pieces(part, used, width):
                size = cell_len(piece)
                if used and used + size > width:
                    end()
                if piece:
                    row.append(Cell(number, piece))
                    used += size
            if at < len(lines) - 1:
                end()
    if row or not rows:
        end()
    return Rows(tuple(rows), _first_tokens(rows))


def _pieces(text: str, used: int, width: int) -> list[str]:
    """Return the text in pieces no wider than a row; nearly always it is one."""
    if len(text) <= width - used and text.isascii():
        return [text]
    return [text] if cell_len(text) <= width else list(chop_cells(text, width))


def _first_tokens(rows: Sequence[tuple[Cell, ...]]) -> tuple[int, ...]:
    firsts: list[int] = []
    last = 0
    for row in rows:
        last = row[0].token if row else last
        firsts.append(last)
    return tuple(firsts)
