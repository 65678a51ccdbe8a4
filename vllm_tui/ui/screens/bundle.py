"""What a report about a fault would hold, shown before it is written."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static, TextArea

from vllm_tui.ui.content import shown

_HINT = "Everything below would be written. It holds your questions and the answers; keys are taken out."


class BundleScreen(Screen[bool | None]):
    """Returns True when the person wants the text written."""

    DEFAULT_CSS = """
    BundleScreen {
        background: $background; color: $foreground;
        Static { height: auto; padding: 0 1; }
        #hint { border-bottom: solid $line; }
        #keys { border-top: solid $line; height: 2; color: $quiet; }
        TextArea, TextArea:focus { height: 1fr; border: none; padding: 0 1; background: $background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "end(False)", show=False, priority=True),
        Binding("f10", "end(True)", show=False, priority=True),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Show the text between a hint and the keys."""
        yield Static(Content.assemble(("Report  ", "bold"), (_HINT, "$quiet")), id="hint", markup=False)
        area = TextArea(shown(self._text), read_only=True, soft_wrap=True, show_line_numbers=False)
        area.cursor_blink = False
        yield area
        keys = (("F10", "write it"), ("↑↓", "read"), ("Esc", "back"))
        parts = [Content.assemble((key, "bold"), f" {label}") for key, label in keys]
        yield Static(Content("   ").join(parts), id="keys", markup=False)

    def action_end(self, is_wanted: bool) -> None:
        """Go back to the wire."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(is_wanted)
