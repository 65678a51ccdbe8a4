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

_KEY_WIDTH = 14
_FOOT = (
    "A slash command does the same as its key: type it in the prompt and press Enter.",
    "To select text with the mouse as in any program, hold Shift (Option on a Mac) while dragging.",
)


def help_text() -> Content:
    """Return the whole help."""
    parts: list[Content] = []
    for place, heading in PLACES:
        parts.append(Content.styled(heading, "bold $accent"))
        parts += [_line(action) for action in ACTIONS if action.place == place]
        parts.append(Content(""))
    parts.append(Content.styled("Figures", "bold $accent"))
    parts += [Content("  " + LEGEND), Content("")]
    parts += [Content.styled(line, "$quiet") for line in _FOOT]
    return Content("\n").join(parts)


def _line(action: Action) -> Content:
    slash = f"  /{action.slash} {action.argument}".rstrip() if action.slash else ""
    return Content.assemble(("  " + action.label.ljust(_KEY_WIDTH), "bold"), action.title, (slash, "$quiet"))


class HelpScreen(ModalScreen[None]):
    """Shows the help until Esc, Enter, F1 or q."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center top; background: $background 50%;
        VerticalScroll { width: 92; max-width: 100%; height: auto; max-height: 100%; margin: 1; background: $panel;
                         border: round $line; padding: 0 1; scrollbar-size-vertical: 1; }
        Static { height: auto; }
    }
    HelpScreen:ansi { background: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f1,q,ctrl+c,question_mark", "close", show=False)]

    def compose(self) -> ComposeResult:
        """Show the text in a box that scrolls."""
        with VerticalScroll():
            yield Static(help_text(), markup=False)

    def action_close(self) -> None:
        """Go back to the chat."""
        self.dismiss(None)
