"""The events of a stream as a list that is drawn row by row, so that their number does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vllm_tui.ui.content import segment

if TYPE_CHECKING:
    from rich.style import Style

    from vllm_tui.domain.wire import WireEventRow


_WIDE = 70
"""From this width on there is room for sizes and whole names of types."""


class EventList(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows events; the cursor stays on its event while more come, and follows the end when it stands there."""

    DEFAULT_CSS = """
    EventList {
        height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; background: $background;
        color: $foreground;
        & > .events--quiet { color: $quiet; }
        & > .events--flag { color: $warning; text-style: bold; }
        & > .events--cursor { background: $line; color: $foreground; }
    }
    EventList:focus > .events--cursor { background: $input-selection-background; }
    EventList:ansi > .events--cursor { background: ansi_default; text-style: bold underline; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"events--quiet", "events--flag", "events--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", show=False),
        Binding("down,j", "step(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("g,home", "step(-99999999)", show=False),
        Binding("G,end", "step(99999999)", show=False),
        Binding("n", "odd(1)", show=False),
        Binding("N,p", "odd(-1)", show=False),
    ]

    class CursorMoved(Message):
        """The cursor stands on another event."""

    def __init__(self) -> None:
        super().__init__(id="events")
        self.cursor = 0
        self.kind = ""
        self._rows: Sequence[WireEventRow] = ()
        self._count = -1

    @property
    def current(self) -> WireEventRow | None:
        """Return the event under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    def show(self, rows: Sequence[WireEventRow], kind: str = "", *, anew: bool = False) -> None:
        """Show these, of type `kind` alone where one is given; `anew` begins at the top."""
        if not anew and kind == self.kind and len(rows) == self._count:
            self.refresh()
            return
        was_at_end = self.cursor == len(self._rows) - 1 and not anew and bool(self._rows)
        before = None if anew else self.current
        self.kind, self._count = kind, len(rows)
        self._rows = [row for row in rows if row.type == kind] if kind else rows[:]
        if anew or before is None:
            self.cursor = 0
        elif was_at_end:
            self.cursor = max(len(self._rows) - 1, 0)
        else:
            self.cursor = next((at for at, row in enumerate(self._rows) if row.number >= before.number), 0)
        self.virtual_size = Size(self.size.width, len(self._rows))
        self._reveal()
        self.refresh()
        self.post_message(self.CursorMoved())

    def render_line(self, y: int) -> Strip:
        """Draw one event."""
        at, base, width = y + self.scroll_offset.y, self.rich_style, self.size.width
        if at >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[at]
        style = base + self._style("cursor") if at == self.cursor else base
        quiet = style + self._style("quiet") if at != self.cursor else style
        flagged = style + self._style("flag")
        cells: list[Segment] = [
            segment(f" {row.number:>5} {row.at:8.3f} s ", quiet),
            segment(f"{'»' if row.is_gap else '+'}{row.since_last:.3f} ", flagged if row.is_gap else quiet),
        ]
        if width >= _WIDE:
            cells.append(segment(f"{row.size:>7,} B ", quiet))
        kind = row.type or "(no type)"
        cells.append(segment(kind if width >= _WIDE else kind.removeprefix("response."), style))
        if row.flags:
            cells.append(segment(f"  ! {', '.join(row.flags)}", flagged))
        return Strip(cells).adjust_cell_length(width, style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"events--{name}", partial=True)

    def action_step(self, step: int) -> None:
        """Go to an event before or after."""
        self._go(self.cursor + step)

    def action_page(self, pages: int) -> None:
        """Move by whole views."""
        self._go(self.cursor + pages * max(self.size.height - 1, 1))

    def action_odd(self, step: int) -> None:
        """Go to the next event with a flag or after a gap, or to the one before."""
        at = self.cursor + step
        while 0 <= at < len(self._rows):
            if self._rows[at].flags or self._rows[at].is_gap:
                self._go(at)
                return
            at += step

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on an event."""
        self._go(event.y + self.scroll_offset.y)

    def _go(self, at: int) -> None:
        self.cursor = min(max(at, 0), max(len(self._rows) - 1, 0))
        self._reveal()
        self.refresh()
        self.post_message(self.CursorMoved())

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)
