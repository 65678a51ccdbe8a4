"""One row of the settings screen: an option with its value and where that is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from vllm_tui.settings.layers import Settings
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.ui.options.texts import choices_of, is_same, row_line
from vllm_tui.ui.widgets.line import Line

_TYPED = frozenset("0123456789.-")


class OptionRow(Line, can_focus=True):
    """Shows one option; says what the person wants to do with it."""

    DEFAULT_CSS = "OptionRow { height: 1; width: 1fr; max-width: 100; } OptionRow:focus { background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l", "step(1)", show=False),
        Binding("backspace,delete", "reset", show=False),
    ]

    @dataclass
    class Changed(Message):
        """The option `name` is to become `value`."""

        name: str
        value: OptionValue

    @dataclass
    class EditWanted(Message):
        """The option of `row` is to be typed; the field begins with `text`, None for its value."""

        row: OptionRow
        text: str | None = None

    @dataclass
    class ResetWanted(Message):
        """The option `name` is to fall back to the layer below."""

        name: str

    def __init__(self, option: Option, settings: Settings) -> None:
        super().__init__()
        self.option = option
        self._settings = settings
        self._models: tuple[str, ...] = ()
        self._is_changed = self._is_bad = False
        self._ahead: list[events.Key] | None = None

    def show(self, settings: Settings, *, is_changed: bool, is_bad: bool, models: Sequence[str]) -> None:
        """Show the value in `settings`."""
        self._settings, self._is_changed, self._is_bad, self._models = settings, is_changed, is_bad, tuple(models)
        self.refresh_line()

    def content(self, width: int) -> Content:
        """Return the row as it stands."""
        return row_line(
            self.option,
            self._settings,
            width,
            is_changed=self._is_changed,
            is_focused=self.has_focus,
            is_bad=self._is_bad,
            choices=choices_of(self.option, self._models),
        )

    def on_key(self, event: events.Key) -> None:
        """Change the option, or begin to type it; what is typed before the field is there is kept for it."""
        is_number = self.option.kind in ("integer", "number") and event.character in _TYPED
        if self._ahead is not None:
            self._ahead.append(event)
        elif is_number:
            self._open(event.character)
        elif event.key in ("enter", "space"):
            self.change()
        else:
            return
        event.stop()
        event.prevent_default()

    def typed_ahead(self) -> list[events.Key]:
        """Return what was typed since the field was asked for; from now on the field has the keys."""
        keys, self._ahead = self._ahead or [], None
        return keys

    def on_focus(self) -> None:
        """Show the choices."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the value alone."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Change what has the focus already; the first click only gives it."""
        if event.chain > 1:
            self.change()

    def action_step(self, step: int) -> None:
        """Go to the next or the previous choice."""
        choices = choices_of(self.option, self._models)
        if not choices:
            return
        current = self._settings.value(self.option.name)
        place = next((at for at, value in enumerate(choices) if is_same(value, current)), -1 if step > 0 else 0)
        self.post_message(self.Changed(self.option.name, choices[(place + step) % len(choices)]))

    def change(self) -> None:
        """Step through the choices, or type."""
        if self.option.kind in ("switch", "choice"):
            self.action_step(1)
        else:
            self._open(None)

    def _open(self, text: str | None) -> None:
        self._ahead = []
        self.post_message(self.EditWanted(self, text))

    def action_reset(self) -> None:
        """Fall back to the layer below."""
        self.post_message(self.ResetWanted(self.option.name))
