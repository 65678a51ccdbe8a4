"""The field in which a value is typed: one line or several, checked with every key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from vllm_tui.settings.kinds import allowed_values, format_value, parse_text
from vllm_tui.settings.layers import Settings
from vllm_tui.settings.option import Option, OptionValue
from vllm_tui.settings.references import escape_references, has_references
from vllm_tui.ui.content import line
from vllm_tui.ui.terminal_keys import NEWLINE_KEYS

LONG_OPTIONS = ("instructions",)
"""Options that hold several lines; so do those that hold JSON."""


MOST_PASTED = 50_000
"""Characters that can be pasted into a field; longer texts belong into the file."""


class TooMuchPasted(Message):
    """A paste of `length` characters was refused."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length


def refuse_long_paste(field: Input | TextArea, event: events.Paste) -> None:
    """Keep a paste that would hold up the screen out of a field."""
    if len(event.text) > MOST_PASTED:
        event.stop()
        event.prevent_default()
        field.post_message(TooMuchPasted(len(event.text)))


class EditorInput(Input):
    """A line that takes no endless pastes."""

    def on_paste(self, event: events.Paste) -> None:
        """Refuse what is too long."""
        refuse_long_paste(self, event)


class EditorArea(TextArea):
    """A text area in which Enter accepts, as in the prompt."""

    DEFAULT_CSS = """
    EditorArea { height: auto; min-height: 1; max-height: 8; border: none; padding: 0; background: $panel; }
    EditorArea:focus { border: none; }
    """

    @dataclass
    class Submitted(Message):
        """Enter was pressed on `value`."""

        value: str

    def on_paste(self, event: events.Paste) -> None:
        """Refuse what is too long."""
        refuse_long_paste(self, event)

    def on_key(self, event: events.Key) -> None:
        """Accept with Enter, break the line with the keys that do."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted(self.text))
        elif event.key in NEWLINE_KEYS:
            event.stop()
            event.prevent_default()
            self.insert("\n", maintain_selection_offset=False)


class Editor(Vertical):
    """Takes the text of one option; `problem_of(text)` says what is wrong with it, empty when nothing is."""

    DEFAULT_CSS = """
    Editor {
        height: auto; max-width: 100; padding: 0 1 0 4; background: $panel;
        Input, Input:focus { border: none; height: 1; padding: 0; background: $background; }
        EditorArea { background: $background; }
        #problem { height: auto; color: $quiet; }
        #problem.-bad { color: $error; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("tab,shift+tab", "accept", show=False, priority=True),
    ]

    @dataclass
    class Accepted(Message):
        """The text was accepted and is allowed."""

        option: Option
        text: str

    @dataclass
    class Left(Message):
        """The person went back without a change."""

        option: Option

    def __init__(self, option: Option, settings: Settings, text: str | None, problem_of: Callable[[str], str]) -> None:
        super().__init__()
        self.option = option
        self._begin = _begin_text(option, settings) if text is None else text
        self._problem_of = problem_of

    @property
    def text(self) -> str:
        """Return what is typed."""
        fields = self.query(Input)
        return fields.first().value if fields else self.query_one(EditorArea).text

    def compose(self) -> ComposeResult:
        """Show the field over what it takes, or what is wrong."""
        option = self.option
        if option.kind == "mapping" or option.name in LONG_OPTIONS:
            area = EditorArea(self._begin, soft_wrap=True, show_line_numbers=False, tab_behavior="focus")
            area.cursor_blink = False
            yield area
        else:
            hint = "a new key; empty keeps the old one" if option.secret else ""
            entry = EditorInput(self._begin, placeholder=hint, password=option.secret, select_on_focus=False)
            entry.cursor_blink = False
            yield entry
        yield Static(id="problem", markup=False)

    def on_mount(self) -> None:
        """Type into the field at once."""
        for area in self.query(EditorArea):
            area.move_cursor(area.document.end)
        self.query("Input, EditorArea").first().focus()
        self._judge()
        self.call_after_refresh(self.scroll_visible, animate=False)

    def take(self, key: events.Key) -> None:
        """Take a key that was typed before the field was there."""
        field = self.query("Input, EditorArea").first()
        if key.key == "enter":
            self.action_accept()
        elif key.key == "escape":
            self.action_leave()
        elif key.key == "backspace" and isinstance(field, Input | EditorArea):
            field.action_delete_left()
        elif key.is_printable and isinstance(field, Input):
            field.insert_text_at_cursor(key.character or "")
        elif key.is_printable and isinstance(field, EditorArea):
            field.insert(key.character or "", maintain_selection_offset=False)

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _judge(self) -> None:
        problem, note = self._problem_of(self.text), self.query_one("#problem", Static)
        note.set_class(bool(problem), "-bad")
        note.update(line(problem or f"Enter accept   Esc back   takes {allowed_values(self.option)}"))

    @on(TooMuchPasted)
    def _refuse(self, event: TooMuchPasted) -> None:
        note = self.query_one("#problem", Static)
        note.set_class(True, "-bad")
        where = "vllm-tui config path names the file to put it into"
        note.update(line(f"{event.length:,} characters are more than a field takes ({MOST_PASTED:,}); {where}"))

    @on(Input.Submitted)
    @on(EditorArea.Submitted)
    def _submitted(self, event: Message) -> None:
        event.stop()
        self.action_accept()

    def action_accept(self) -> None:
        """Take the text when it is allowed; else the message stays."""
        if self.option.secret and not self.text:
            self.post_message(self.Left(self.option))
        elif not self._problem_of(self.text):
            self.post_message(self.Accepted(self.option, self.text))

    def action_leave(self) -> None:
        """Go back without a change."""
        self.post_message(self.Left(self.option))


def _begin_text(option: Option, settings: Settings) -> str:
    """Return the text the field begins with: what was written, references included; a secret begins empty."""
    value, raw = settings.value(option.name), settings.raw(option.name)
    if option.secret or value is None:
        return ""
    if has_references(raw):
        return raw if isinstance(raw, str) else format_value(cast("OptionValue", raw))
    return format_value(cast("OptionValue", escape_references(value)))


def with_text(settings: Settings, option: Option, text: str) -> Settings:
    """Return the settings with what was typed for this session; raises ConfigurationError when it is not allowed."""
    if option.nullable and not text.strip():
        return settings.chosen(option.name, None)
    is_reference = has_references(text) and option.kind in ("text", "url", "choice")
    return settings.chosen(option.name, text if is_reference else parse_text(option, text))
