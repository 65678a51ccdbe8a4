"""Paints the window of a document: a frame at a time while something changes, and only the rows that did."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer

from vllm_tui.ui.transcript import ink as inks
from vllm_tui.ui.transcript import selection as selecting
from vllm_tui.ui.transcript.document import Document
from vllm_tui.ui.transcript.ink import PLAIN, Ink, build_ink
from vllm_tui.ui.transcript.messages import FollowChanged
from vllm_tui.ui.transcript.paint import MARGIN, Painted, changed_regions, to_strip
from vllm_tui.ui.transcript.render import Renderer
from vllm_tui.ui.transcript.window import Window

_RIGHT = 1
"""Empty cells between text and scroll bar."""
_BUSY_SHARE = 4
"""A frame waits for at least this many times the time the last one took, so that keys never wait long."""


class Canvas(ScrollView):
    """Draws a document line by line; `wake` it when the document changed. There is no timer while nothing does."""

    DEFAULT_CSS = inks.CSS
    COMPONENT_CLASSES: ClassVar[set[str]] = inks.COMPONENTS

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)
    """Grows with every line; unlike in the base class, no layout of the screen follows from it."""

    def __init__(self, document: Document, rate: float, clock: Callable[[], float], id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.rate = rate
        self.document = document
        self.window = Window(document, Renderer(80, PLAIN, clock))
        self._clock = clock
        self._ink: Ink = PLAIN
        self._is_stale = True
        self._width = 0
        self._painted: list[Painted] = []
        self._frame: Timer | None = None
        self._frame_end = 0.0
        self._took = 0.0
        self._is_placing = self._is_painting = False
        self._said = (True, 0)

    @property
    def following(self) -> bool:
        """Return whether the view follows the end."""
        return self.window.following

    # frames

    @property
    def is_busy(self) -> bool:
        """Return whether something waits to be painted."""
        return self._frame is not None

    def wake(self) -> None:
        """Paint soon: at once after a quiet time, else with the next frame."""
        if self._frame is None and self.is_mounted:
            wait = max(1 / self.rate, self._took * _BUSY_SHARE)
            delay = self._frame_end + wait - time.monotonic()
            self._frame = self.set_timer(max(delay, 0.001), self._paint_frame)

    def _paint_frame(self) -> None:
        self._frame = None
        began = time.monotonic()
        self.document.touch_live()
        self.update()
        self._frame_end = time.monotonic()
        self._took = self._frame_end - began
        if self.document.is_live:
            self.wake()

    def update(self) -> None:
        """Take over what changed in the document, and paint it."""
        if self.size.height and self.size.width:
            self._fit()
            self.window.update(self.size.height)
            self.show_window()

    def _fit(self) -> None:
        """Draw with the width and the styles there are now."""
        if self._is_stale:
            self._is_stale = False
            ink = build_ink(self.rich_style, self.get_component_rich_style)
            if ink != self._ink:
                self._ink, self._width = ink, 0
        width = self.size.width - MARGIN - _RIGHT
        if width != self._width:
            self._width = width
            self.window.use(Renderer(width, self._ink, self._clock))

    def on_mount(self) -> None:
        """Paint what was given before there was a screen."""
        self._refresh_scrollbars()
        self.wake()

    def on_resize(self) -> None:
        """Wrap again; the line at the upper edge stays there."""
        self.update()

    def notify_style_update(self) -> None:
        """Take over the styles of a new theme."""
        super().notify_style_update()
        self._is_stale = True
        self.wake()

    # painting

    def show_window(self) -> None:
        """Put the window on screen: scroll bar, position, and the rows that look different now."""
        window, (width, height) = self.window, self.size
        self._is_placing = True
        self._grow_to(window.total)
        self.scroll_target_y = self.scroll_y = window.top
        self._is_placing = False
        cursor = self.document.cursor if self.has_focus else None
        chosen = self.text_selection if self.is_attached else None
        now = [
            Painted(
                seen.row,
                seen.number >= 0 and seen.block.id == cursor,
                selecting.span_of(window, seen, chosen),
            )
            for seen in window.seen
        ]
        now += [Painted(None)] * (height - len(now))
        regions = changed_regions(self._painted, now, width, self._ink.text)
        self._painted = now
        if regions:
            self.refresh(*regions)
        self._say_follow()

    def _grow_to(self, total: int) -> None:
        if total == self.virtual_size.height and self.virtual_size.width == self.size.width:
            return
        self.virtual_size = Size(self.size.width, total)
        if self.show_vertical_scrollbar != (total > self.size.height):
            self._refresh_scrollbars()
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = total
            self.vertical_scrollbar.window_size = self.size.height

    def _say_follow(self) -> None:
        said = (self.window.following, self.window.new_rows)
        if said != self._said:
            self._said = said
            self.post_message(FollowChanged(*said))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the wheel, the scroll bar and the keys; what the canvas or a resize under way set is left alone."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        is_resizing = self.size.height != self.window.height
        if not self._is_placing and not is_resizing and round(old_value) != round(new_value):
            self.window.scroll_to(round(new_value))
            self.show_window()

    def selection_updated(self, selection: Selection | None) -> None:
        """Show what is selected now."""
        self.show_window()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the source of the selected text, and what ends it."""
        return selecting.selected_text(self.window, selection), "\n"

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows in `crop`; only a look at one row (for the mouse) needs the coordinates of its text."""
        self._is_painting = True
        try:
            return super().render_lines(crop)
        finally:
            self._is_painting = False

    def render_line(self, y: int) -> Strip:
        """Return row `y` of the window."""
        painted = self._painted[y] if y < len(self._painted) else Painted(None)
        strip = to_strip(painted, self.size.width, self._ink, self._selection_style())
        if self._is_painting or y >= len(self.window.seen):
            return strip
        return strip.apply_offsets(0, selecting.coordinate(self.window.layout, self.window.seen[y]))

    def _selection_style(self) -> Style:
        return self.screen.get_component_rich_style("screen--selection")
