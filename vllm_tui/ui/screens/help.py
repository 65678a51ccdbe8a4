"""The help overlay: every key and every slash command."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from vllm_tui.ui.actions import ACTIONS, PLACES, Action
from vllm_tui.ui.figures_text import LEGEND

_KEY_WIDTH, _SLASH_WIDTH = 14, 20
_FOOT = (
    "Type a slash command in the prompt; a word in brackets may follow it.",
    "Hold Shift (Option on a Mac) while dragging to select text as the terminal does.",
)


def help_text() -> Content:
    """Return the whole help."""
    parts: list[Content] = []
    for place, heading in PLACES:
        parts.append(Content.styled(heading, "bold $accent"))
        parts += [_line(action) for action in ACTIONS if action.place == place]
        parts.append(Content(""))
    parts.append(Content.assemble(("Figures  ", "bold $accent"), LEGEND))
    parts += [Content.styled(line, "$quiet") for line in _FOOT]
    return Content("\n").join(parts)


def _line(action: Action) -> Content:
    slash = f"/{action.slash} {action.argument}".rstrip() if action.slash else ""
    slash = slash.ljust(_SLASH_WIDTH) if action.place == "everywhere" else ""
    return Content.assemble(("  " + action.label.ljust(_KEY_WIDTH), "bold"), (slash, "$quiet"), action.title)


class HelpScreen(ModalScreen[None]):
    """Shows the help until Esc, Enter, F1 or q."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center top; background: $background 50%;
        VerticalScroll { width: 88; max-width: 100%; height: auto; max-height: 100%; margin: 1; background: $panel;
                         padding: 1 2; scrollbar-size-vertical: 1; }
        Static { height: auto; }
    }
    HelpScreen:ansi { background: ansi_default; VerticalScroll { border: round $line; padding: 0 1; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f1,q,ctrl+c,question_mark", "close", show=False)]

    def compose(self) -> ComposeResult:
        """Show the text in a box that scrolls."""
        with VerticalScroll():
            yield Static(help_text(), markup=False)

    def action_close(self) -> None:
        """Go back to the chat."""
        if self.is_current:  # a second key may come before the screen is gone
            self.dismiss(None)
