"""The rule above the prompt: carries a message, the figures of a narrow screen and the badge for unread lines."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.message import Message

from vllm_tui.ui.activity import Tone
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.widgets.line import Line

_TONES: dict[Tone, str] = {
    "calm": "$foreground",
    "busy": "$accent",
    "good": "$success",
    "warning": "$warning",
    "error": "bold $error",
}


def hint_line(message: str, tone: Tone, figures: str, badge: str, width: int) -> Content:
    """Return a rule of `width` columns with a message or the figures at its left and the badge at its right."""
    left = (shown_line(message), _TONES[tone]) if message else (figures, "$quiet")
    right = Content.styled(f" {badge} ", "bold reverse $accent") if badge else Content("")
    room = width - right.cell_length - 6
    text = Content.styled(*left).truncate(max(room, 4), ellipsis=True) if left[0] else Content("")
    if not text:
        return Content.assemble(("─" * (width - right.cell_length - (2 if badge else 0)), "$line"), right,
                                ("──" if badge else "", "$line"))  # fmt: skip
    fill = max(width - cell_len(text.plain) - right.cell_length - 4 - (2 if badge else 0), 0)
    return Content.assemble(("── ", "$line"), text, " ", ("─" * fill, "$line"), right, ("──" if badge else "", "$line"))


class HintLine(Line):
    """Shows one message at a time; a message stays until the next one or until it is cleared."""

    class EndWanted(Message):
        """The badge was clicked."""

    def __init__(self) -> None:
        super().__init__(id="hintline")
        self._message = ""
        self._tone: Tone = "calm"
        self._figures = ""
        self._badge = ""

    @property
    def message(self) -> str:
        """Return what is said now."""
        return self._message

    def say(self, message: str, tone: Tone = "calm") -> None:
        """Say something; an empty message clears the line."""
        self._message, self._tone = message, tone
        self.refresh_line()

    def show_figures(self, figures: str) -> None:
        """Show these figures where no message stands; empty when the sidebar shows them."""
        self._figures = figures
        self.refresh_line()

    def show_badge(self, badge: str) -> None:
        """Show a badge at the right end; empty for none."""
        self._badge = badge
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return the rule as it stands."""
        return hint_line(self._message, self._tone, self._figures, self._badge, width)

    def on_click(self, event: Click) -> None:
        """Take a click on the badge."""
        if self._badge and event.x >= self.size.width - len(self._badge) - 4:
            self.post_message(self.EndWanted())
