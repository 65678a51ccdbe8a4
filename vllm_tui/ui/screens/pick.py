"""A list to choose from, narrowed by typing: the palette, the models, the themes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from vllm_tui.ui.content import shown_line

_MOST_ROWS, _AROUND = 20, 11
"""Rows of the list, and those around it: margins, the field and the keys."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list: `value` is returned, `note` stands at the right in a quiet colour."""

    value: str
    label: str
    note: str = ""


def matching(choices: Sequence[Choice], query: str) -> list[Choice]:
    """Return the choices that hold every word of `query`; those that begin with it first."""
    words = query.lower().split()
    found = [choice for choice in choices if all(word in f"{choice.label} {choice.note}".lower() for word in words)]
    return sorted(found, key=lambda choice: not choice.label.lower().startswith(query.lower()))


def choice_line(choice: Choice, width: int) -> Content:
    """Return one line of the list, `width` columns wide."""
    note = Content.styled(shown_line(choice.note), "$quiet")
    room = max(width - note.cell_length - 2, 8)
    label = Content(shown_line(choice.label)).truncate(room, ellipsis=True)
    gap = max(width - label.cell_length - note.cell_length, 2)
    return Content.assemble(label, " " * gap, note)


class PickScreen(ModalScreen[str | None]):
    """Asks for one of `choices`; returns its value, or None when the person goes back."""

    DEFAULT_CSS = """
    PickScreen {
        align: center top; background: $background 50%;
        #pick { width: 76; max-width: 100%; height: auto; max-height: 100%; margin: 2 1; background: $panel;
                padding: 1 2; }
        Input, Input:focus { border: none; height: 1; padding: 0; margin: 0 0 1 0; background: $panel; }
        OptionList, OptionList:focus { height: auto; max-height: 20; border: none; padding: 0; background: $panel;
                                       scrollbar-size-vertical: 1; }
        Static { height: auto; color: $quiet; margin: 1 0 0 0; }
    }
    PickScreen:ansi { background: ansi_default; #pick { border: round $line; padding: 0 1; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "back", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], *, current: str | None = None, note: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._current = current
        self._note = note
        self._shown: list[Choice] = []

    def compose(self) -> ComposeResult:
        """Show a field over a list."""
        with Vertical(id="pick"):
            if self._note:
                yield Static(Content(shown_line(self._note)), markup=False)
            entry = Input(placeholder=shown_line(self._title), select_on_focus=False)
            entry.cursor_blink = False
            yield entry
            yield OptionList(markup=False)
            yield Static("Enter choose   ↑ ↓ move   Esc back", markup=False)

    def on_mount(self) -> None:
        """Type into the field; the list follows."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        self.call_after_refresh(self._fill, "")

    def on_resize(self, event: events.Resize) -> None:
        """Leave room for the field and the keys on low screens."""
        around = _AROUND + bool(self._note) * 2
        self.query_one(OptionList).styles.max_height = max(min(_MOST_ROWS, event.size.height - around), 3)

    def _fill(self, query: str) -> None:
        options = self.query_one(OptionList)
        width = max(options.size.width - 3, 20)
        self._shown = matching(self._choices, query)
        options.clear_options()
        options.add_options([Option(choice_line(choice, width)) for choice in self._shown])
        values = [choice.value for choice in self._shown]
        if values:
            options.highlighted = values.index(self._current) if self._current in values and not query else 0

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _choose_highlighted(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and place < len(self._shown):
            self._end(self._shown[place].value)

    @on(OptionList.OptionSelected)
    def _choose_clicked(self, event: OptionList.OptionSelected) -> None:
        self._end(self._shown[event.option_index].value)

    def _end(self, value: str | None) -> None:
        if self.is_current:  # a second Enter may come before the screen is gone
            self.dismiss(value)

    def action_back(self) -> None:
        """Choose nothing."""
        self._end(None)

    def action_move(self, by: int) -> None:
        """Move the mark, stopping at the ends."""
        options = self.query_one(OptionList)
        if self._shown:
            place = (options.highlighted or 0) + by
            options.highlighted = min(max(place, 0), len(self._shown) - 1)
