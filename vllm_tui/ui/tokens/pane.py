"""The tokens of one side as a widget: drawn row by row, with a cursor that walks from token to token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vllm_tui.ui.content import segment
from vllm_tui.ui.tokens.layout import Cell, Rows, lay_out

if TYPE_CHECKING:
    from vllm_tui.accounting.token_view import Shown

PARTS: dict[str, str] = {
    "instructions": "i",
    "system": "m",
    "tools": "t",
    "history": "h",
    "reasoning": "r",
    "calls": "c",
    "results": "o",
    "question": "q",
    "answer": "a",
    "prompt": "p",
    "opening": "m",
}
"""The letter that stands for a part in the margin, beside its colour."""

_GUTTER = 3
_UNLIKELY, _RARE = 0.5, 0.1


class TokenPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows tokens; neighbours differ in shade, parts in colour and letter, unlikely tokens by their line."""

    DEFAULT_CSS = """
    TokenPane {
        height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; background: $background;
        color: $foreground;
        & > .tokens--even { background: $panel; }
        & > .tokens--special { color: $accent; text-style: bold; }
        & > .tokens--quiet { color: $quiet; }
        & > .tokens--question { color: $primary; }
        & > .tokens--tools { color: $warning; }
        & > .tokens--instructions { color: $success; }
        & > .tokens--calls { color: $error; }
        & > .tokens--plain { color: $foreground; }
        & > .tokens--unlikely { color: $warning; text-style: underline; }
        & > .tokens--rare { color: $error; text-style: bold underline; }
        & > .tokens--cursor { background: $accent; color: $background; text-style: bold; }
    }
    TokenPane:ansi { & > .tokens--cursor { background: ansi_cyan; color: ansi_black; } }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"tokens--{name}"
        for name in (
            *("even", "special", "quiet", "question", "tools", "instructions", "calls", "plain"),
            *("unlikely", "rare", "cursor"),
        )
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l", "step(1)", show=False),
        Binding("up,k", "row(-1)", show=False),
        Binding("down,j", "row(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("g,home", "step(-99999999)", show=False),
        Binding("G,end", "step(99999999)", show=False),
        Binding("n", "part(1)", show=False),
        Binding("N,p", "part(-1)", show=False),
    ]

    class CursorMoved(Message):
        """The cursor stands on another token."""

    def __init__(self) -> None:
        super().__init__(id="tokens")
        self.cursor = 0
        self._tokens: Sequence[Shown] = ()
        self._rows = Rows((), ())
        self._has_tokens = True
        self._width = 0

    @property
    def current(self) -> Shown | None:
        """Return the token under the cursor."""
        return self._tokens[self.cursor] if self._tokens else None

    def show(self, tokens: Sequence[Shown], *, has_tokens: bool) -> None:
        """Show these; without `has_tokens` they are whole texts and no borders are drawn."""
        self._tokens, self._has_tokens = tokens, has_tokens
        self.cursor, self._width = 0, 0
        self.scroll_to(y=0, animate=False)
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Lay the rows out for another width."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = max(self.size.width - _GUTTER - 1, 8)
        if width != self._width and self.size.width:
            self._width = width
            self._rows = lay_out([shown.piece.text for shown in self._tokens], width)
            self.virtual_size = Size(self.size.width, len(self._rows.rows))
            self._reveal()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        at = y + self.scroll_offset.y
        base = self.rich_style
        if at >= len(self._rows.rows) or not self._tokens:
            return Strip.blank(self.size.width, base)
        row = self._rows.rows[at]
        segments = [self._margin(at), *(segment(cell.text, base + self._style(cell)) for cell in row)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _margin(self, at: int) -> Segment:
        """Return the letter of a part where it begins."""
        part = self._part_of(at)
        is_new = at == 0 or self._part_of(at - 1) != part
        letter = PARTS.get(part, part[:1]) if is_new else " "
        return Segment(f" {letter} ", self.rich_style + self._component("quiet"))

    def _part_of(self, at: int) -> str:
        return self._tokens[self._rows.first_tokens[at]].piece.part

    def _style(self, cell: Cell) -> Style:
        shown = self._tokens[cell.token]
        if cell.token == self.cursor and self._has_tokens:
            return self._component("cursor")
        style = self._component("even") if cell.token % 2 and self._has_tokens else Style()
        return style + self._component(_class_of(shown))

    def _component(self, name: str) -> Style:
        return self.get_component_rich_style(f"tokens--{name}", partial=True)

    # moving

    def action_step(self, step: int) -> None:
        """Go to a token before or after."""
        self._go(self.cursor + step)

    def action_row(self, step: int) -> None:
        """Go to the first token of a row above or below; a text without tokens is scrolled."""
        if not self._has_tokens:
            self.scroll_relative(y=step, animate=False)
            return
        row = self._rows.row_of(self.cursor)
        firsts = self._rows.first_tokens
        row = min(max(row + step, 0), len(firsts) - 1)
        while 0 < row < len(firsts) - 1 and firsts[row] == self.cursor:
            row += 1 if step > 0 else -1
        self._go(firsts[row] if firsts else 0)

    def action_page(self, pages: int) -> None:
        """Move by whole views."""
        self.action_row(pages * max(self.size.height - 1, 1))

    def action_part(self, step: int) -> None:
        """Go to the beginning of the next part, or of the one before."""
        if not self._tokens:
            return
        at, part = self.cursor, self._tokens[self.cursor].piece.part
        end = len(self._tokens) if step > 0 else -1
        while at != end and self._tokens[at].piece.part == part:
            at += step
        if at == end:
            return
        if step < 0:
            part = self._tokens[at].piece.part
            while at > 0 and self._tokens[at - 1].piece.part == part:
                at -= 1
        self._go(at)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a token."""
        at = event.y + self.scroll_offset.y
        if at < len(self._rows.rows):
            end = _GUTTER
            for cell in self._rows.rows[at]:
                end += len(cell.text)
                if event.x < end:
                    self._go(cell.token)
                    return

    def _go(self, token: int) -> None:
        self.cursor = min(max(token, 0), max(len(self._tokens) - 1, 0))
        self._reveal()
        self.refresh()
        self.post_message(self.CursorMoved())

    def _reveal(self) -> None:
        row, top, height = self._rows.row_of(self.cursor), self.scroll_offset.y, max(self.size.height, 1)
        if row < top:
            self.scroll_to(y=row, animate=False)
        elif row >= top + height:
            self.scroll_to(y=row - height + 1, animate=False)


def _class_of(shown: Shown) -> str:
    piece, probability = shown.piece, shown.probability
    if probability is not None and probability < _UNLIKELY:
        return "rare" if probability < _RARE else "unlikely"
    if piece.is_special:
        return "special"
    names = {"question": "question", "tools": "tools", "instructions": "instructions", "calls": "calls"}
    return names.get(piece.part, "quiet" if piece.part in ("system", "opening", "reasoning") else "plain")
