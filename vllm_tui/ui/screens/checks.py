"""A list of which several can be chosen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from vllm_tui.ui.content import line
from vllm_tui.ui.screens.pick import Choice, choice_line

_AROUND = 12


class ChecksScreen(ModalScreen[tuple[str, ...] | None]):
    """Asks for some of `choices`; returns their values, at least one, or None when the person goes back."""

    DEFAULT_CSS = """
    ChecksScreen {
        align: center top; background: $background 50%;
        #checks { width: 76; max-width: 100%; height: auto; max-height: 100%; margin: 2 1; background: $panel;
                  padding: 1 2; }
        OptionList, OptionList:focus { height: auto; max-height: 20; border: none; padding: 0; margin: 1 0;
                                       background: $panel; scrollbar-size-vertical: 1; }
        OptionList:focus > .option-list--option-highlighted {
            background: $input-selection-background; color: $foreground; text-style: none;
        }
        Static { height: auto; }
        #keys { color: $quiet; }
    }
    ChecksScreen:ansi {
        background: ansi_default;
        #checks { border: round $line; padding: 0 1; }
        OptionList:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "back", show=False, priority=True),
        Binding("space", "mark", show=False, priority=True),
        Binding("enter", "accept", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], chosen: Collection[str]) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        """Show the list between its title and its keys."""
        with Vertical(id="checks"):
            yield Static(line(self._title), markup=False)
            yield OptionList(markup=False)
            yield Static("Space choose   Enter done   ↑ ↓ move   Esc back", id="keys", markup=False)

    def on_mount(self) -> None:
        """Fill the list once its width is known."""
        self._list.focus()
        self.call_after_refresh(self._fill)

    def on_resize(self, event: events.Resize) -> None:
        """Leave room for the keys on low screens."""
        self._list.styles.max_height = max(min(20, event.size.height - _AROUND), 3)

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _fill(self) -> None:
        self._list.clear_options()
        self._list.add_options([Option(self._line(choice)) for choice in self._choices])
        self._list.highlighted = 0 if self._choices else None

    def _line(self, choice: Choice) -> Content:
        mark = ("[x] ", "$accent") if choice.value in self._chosen else ("[ ] ", "$quiet")
        return Content.assemble(mark, choice_line(choice, max(self._list.size.width - 7, 20)))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click chooses or leaves out."""
        self._toggle(event.option_index)

    def action_mark(self) -> None:
        """Choose this one, or leave it out."""
        if self._list.highlighted is not None:
            self._toggle(self._list.highlighted)

    def _toggle(self, place: int) -> None:
        self._chosen ^= {self._choices[place].value}
        self._list.replace_option_prompt_at_index(place, self._line(self._choices[place]))

    def action_accept(self) -> None:
        """Take what is chosen, in the order of the list."""
        values = tuple(choice.value for choice in self._choices if choice.value in self._chosen)
        if not values:
            self.query_one("#keys", Static).update(Content.styled("choose at least one; Esc goes back", "$warning"))
        elif self.is_current:
            self.dismiss(values)

    def action_back(self) -> None:
        """Change nothing."""
        if self.is_current:
            self.dismiss(None)
