"""The bar above the prompt on which a waiting tool call is shown in full and decided."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from vllm_tui.ui.content import line
from vllm_tui.ui.widgets.line import Line

if TYPE_CHECKING:
    from vllm_tui.ui.calls.approvals import Waiting
    from vllm_tui.ui.calls.deciding import Way

SETTLE_SECONDS = 0.3
"""A call must have been on screen this long: a second key meant for the call before decides nothing."""

_MOST_ROWS = 8


class ApprovalBar(Line, can_focus=True):
    """Shows the first of the waiting calls. It takes keys only while it has the focus, so typing never approves."""

    DEFAULT_CSS = """
    ApprovalBar { height: auto; max-height: 12; padding: 0 1; background: $panel; color: $foreground; display: none;
                  border-left: thick $warning; }
    ApprovalBar:focus { border-left: thick $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "decide('once')", show=False),
        Binding("A", "decide('always')", show=False),
        Binding("e", "decide('edit')", show=False),
        Binding("w", "decide('hand')", show=False),
        Binding("d", "decide('refuse')", show=False),
        Binding("i,enter", "inspect", show=False),
    ]

    class Decided(Message):
        """The person chose a way for the call."""

        def __init__(self, entry: Waiting, way: Way) -> None:
            super().__init__()
            self.entry = entry
            self.way = way

    class Inspect(Message):
        """The person wants to see the call in the inspector."""

        def __init__(self, call_id: str) -> None:
            super().__init__()
            self.call_id = call_id

    def __init__(self) -> None:
        super().__init__(id="approval")
        self._waiting: tuple[Waiting, ...] = ()
        self._shown_at = 0.0

    def show(self, waiting: tuple[Waiting, ...]) -> None:
        """Show the first of these calls; nothing when there is none."""
        if waiting[:1] != self._waiting[:1]:
            self._shown_at = monotonic()
        self._waiting = waiting
        self.display = bool(waiting)
        self.refresh(layout=True)

    def on_focus(self) -> None:
        """Show the keys."""
        self.refresh(layout=True)

    def on_blur(self) -> None:
        """Show how the keys are reached."""
        self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return the rows the call needs."""
        return len(self.content(width).split()) if self._waiting and width else 0

    def content(self, width: int) -> Content:
        """Return the call, why it is asked, its arguments and the keys."""
        if not self._waiting:
            return Content("")
        from vllm_tui.ui.calls.texts import request_lines  # not before the first frame

        request = self._waiting[0].request
        more = f"  1 of {len(self._waiting)}" if len(self._waiting) > 1 else ""
        head = Content.assemble(
            ("? ", "bold $warning"),
            (line(request.tool.title).plain, "bold"),
            (f" wants to run: {line(request.reason).plain}{more}", "$quiet"),
        )
        arguments, left = request_lines(request, width - 2, _MOST_ROWS - (width < 100) * 2)
        rows = [head.truncate(width, ellipsis=True), *(Content.assemble("  ", row) for row in arguments.split())]
        if left:
            rows.append(Content.styled(f"  … more lines ({left} at least); i shows all", "$warning"))
        rows.append(self._keys(width))
        return Content("\n").join(rows)

    def _keys(self, width: int) -> Content:
        if not self.has_focus:
            esc = (("   Esc", "bold"), (" cancels the turn", "$quiet"))
            return Content.assemble(("  Tab", "bold"), (" to decide", "$quiet"), *esc)
        from vllm_tui.ui.calls.deciding import possible
        from vllm_tui.ui.calls.texts import fitted_keys

        keys = [*((key, label) for key, label, _ in possible(self._waiting[0].request)), ("i", "inspect")]
        return Content.assemble("  ", fitted_keys(keys, width - 2))

    def action_decide(self, way: Way) -> None:
        """Go this way with the call that is shown."""
        if self._waiting and monotonic() - self._shown_at >= SETTLE_SECONDS:
            self.post_message(self.Decided(self._waiting[0], way))

    def action_inspect(self) -> None:
        """Show the call in the inspector."""
        if self._waiting:
            self.post_message(self.Inspect(self._waiting[0].request.call.id))

    def on_click(self, event: events.Click) -> None:
        """Take the keys."""
        self.focus()
