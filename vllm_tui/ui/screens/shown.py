"""A text to read, over the screen below."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from vllm_tui.ui.calls.texts import bounded
from vllm_tui.ui.content import line


class ShownScreen(ModalScreen[None]):
    """Shows `text` under a title; `y` copies all of it."""

    DEFAULT_CSS = """
    ShownScreen {
        align: center top; background: $background 50%;
        #shown { width: 90; max-width: 100%; height: auto; max-height: 100%; margin: 2 1; background: $panel;
                 padding: 1 2; }
        Static { height: auto; }
        #text { max-height: 20; height: auto; margin: 1 0; background: $background; }
        #keys { color: $quiet; }
    }
    ShownScreen:ansi { background: ansi_default; #shown { border: round $line; padding: 0 1; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,q,enter", "close", show=False, priority=True),
        Binding("y", "copy", show=False),
    ]
    AUTO_FOCUS = "#text"

    def __init__(self, title: str, text: str, send_copy: Callable[[str, str], str]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._send_copy = send_copy

    def compose(self) -> ComposeResult:
        """Lay out the text between its title and the keys."""
        with Vertical(id="shown"):
            yield Static(line(self._title), id="title", markup=False)
            with VerticalScroll(id="text"):
                yield Static(bounded(self._text), markup=False)
            keys = (("y", "copy"), ("↑↓", "scroll"), ("Esc", "back"))
            parts = [Content.assemble((key, "bold"), f" {label}") for key, label in keys]
            yield Static(Content("   ").join(parts), id="keys", markup=False)

    def action_copy(self) -> None:
        """Copy the text."""
        self.query_one("#keys", Static).update(line(self._send_copy(self._text, "text")))

    def action_close(self) -> None:
        """Go back."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)
