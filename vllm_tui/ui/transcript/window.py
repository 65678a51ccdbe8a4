"""The part of the transcript that is on screen, and how it moves. Following the end is a state, not a distance."""

from __future__ import annotations

from vllm_tui.ui.transcript.document import Document
from vllm_tui.ui.transcript.layout import Layout, Place, Seen
from vllm_tui.ui.transcript.render import Renderer

STEP = 3
"""Rows by which the view moves on while it follows a growing answer, so that not every line repaints the screen."""


class Window:
    """`top` is the document's row at the upper edge, `height` the rows there are, `seen` what stands in them."""

    def __init__(self, document: Document, renderer: Renderer) -> None:
        self.layout = Layout(document, renderer)
        self.top = 0
        self.height = 0
        self.following = True
        self.new_rows = 0
        self.seen: list[Seen] = []
        self._place: Place | None = None
        self._slack = STEP
        self._left_at = 0

    @property
    def total(self) -> int:
        """Return the rows to scroll over, the empty ones below the end included."""
        return max(self.layout.total, self.top + self.height if self.layout.total > self.height else 0)

    def use(self, renderer: Renderer) -> None:
        """Draw with another width or other styles; the reader keeps the place."""
        self.layout.use(renderer)

    def update(self, height: int) -> None:
        """Take over what changed; the end, or else the line at the upper edge, stays where it is."""
        self.height = height
        self.layout.resync()
        if self.following:
            self.layout.settle_end(height)
            self._follow()
        elif self._place is not None and self.layout.order(self._place.block) >= 0:
            self.top = self.layout.row_of(self._place)
        else:
            self.top = max(0, min(self.top, self.layout.total - height))
        self._look()

    def scroll_to(self, top: int) -> None:
        """Show the rows from `top` on; at the end the view follows again."""
        self.top = max(0, min(top, max(self.total - self.height, 0)))
        self._set_following(self.top >= self.layout.total - self.height)
        self._look()

    def go_end(self) -> None:
        """Go to the end and follow it."""
        self._set_following(True)
        self.layout.settle_end(self.height)
        self.top = max(0, self.layout.total - self.height)
        self._look()

    def hold(self, block_id: int) -> None:
        """Take over a fold of this block: its first line stays where it is, or comes to the upper edge."""
        if self.layout.order(block_id) < 0:
            self.update(self.height)
            return
        before, _ = self.layout.extent(block_id)
        at = before - self.top
        self.layout.resync()
        begin, _ = self.layout.extent(block_id)
        self.top = max(0, begin - at) if 0 <= at < self.height else begin
        self._look()
        self._set_following(self.layout.total <= self.top + self.height)
        self._slack = max(STEP, self.top + self.height - self.layout.total)

    def reveal(self, block_id: int) -> None:
        """Bring the first line of a block on screen, and as much of the rest as fits."""
        self.layout.resync()
        begin, end = self.layout.extent(block_id)
        if self.top <= begin and end <= self.top + self.height:
            return
        if begin < self.top or end - begin >= self.height:
            self.scroll_to(begin)
        else:
            self.layout.window(begin, self.height)
            self.scroll_to(self.layout.extent(block_id)[1] - self.height)

    def passes(self, block_id: int, step: int) -> bool:
        """Move by half a view inside a block that does not fit; False when the block's edge is on screen."""
        if self.layout.order(block_id) < 0:
            return False
        begin, end = self.layout.extent(block_id)
        is_cut = end > self.top + self.height if step > 0 else begin < self.top
        if not is_cut or end <= self.top or begin >= self.top + self.height:
            return False
        self.scroll_to(self.top + step * max(self.height // 2, 1))
        return True

    def _follow(self) -> None:
        total, height = self.layout.total, self.height
        if total <= height:
            self.top, self._slack = 0, STEP
        elif total > self.top + height:
            self.top = total - height + (STEP - 1 if self.top else 0)
            self._slack = STEP
        elif self.top + height - total > self._slack:
            self.top = total - height
            self._slack = STEP

    def _look(self) -> None:
        """Draw what is seen, and a screenful above so that scrolling up meets no guesses."""
        self.top = self.layout.settle_up(self.top, self.height)
        self.seen = self.layout.window(self.top, self.height)
        self._place = self.layout.place_at(self.top)
        self.new_rows = 0 if self.following else max(0, self.layout.total - self._left_at)

    def _set_following(self, following: bool) -> None:
        if self.following and not following:
            self._left_at = self.layout.total
        self.following = following
