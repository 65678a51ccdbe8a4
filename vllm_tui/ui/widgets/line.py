"""A widget of one or more rows of text that repaints only when its text changes."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget


class Line(Widget, can_focus=False):
    """Shows what `content(width)` returns; `refresh_line` paints again only if that differs from what is shown."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._shown = Content("")

    def content(self, width: int) -> Content:
        """Return the text for `width` columns; override."""
        raise NotImplementedError

    def refresh_line(self) -> None:
        """Paint the rows that changed."""
        if not self.is_mounted or not self.size.width:
            return
        old, new = self._shown.split(), self.content(self.size.width).split()
        if len(old) != len(new):
            self.refresh()
            return
        changed = [row for row, (before, now) in enumerate(zip(old, new, strict=True)) if not now.is_same(before)]
        if changed:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))

    def render(self) -> Content:
        """Return the text as it stands."""
        self._shown = self.content(self.size.width)
        return self._shown
