"""The prompt: what the person types, sent with Enter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea

from vllm_tui.ui.content import shown_line
from vllm_tui.ui.pastes import Pastes
from vllm_tui.ui.prompt_history import Draft, PromptHistory
from vllm_tui.ui.terminal_keys import NEWLINE_KEYS


class Prompt(TextArea, inherit_bindings=False):
    """A text area that grows to eight rows, remembers what was sent and never sends a paste."""

    DEFAULT_CSS = """
    Prompt {
        width: 1fr; height: auto; min-height: 1; max-height: 8; border: none; padding: 0 1 0 0; background: $background;
        scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & .text-area--placeholder { color: $quiet; }
        & .text-area--cursor-line { background: transparent; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("left", "cursor_left", show=False),
        Binding("right", "cursor_right", show=False),
        Binding("ctrl+left,alt+b", "cursor_word_left", show=False),
        Binding("ctrl+right,alt+f", "cursor_word_right", show=False),
        Binding("home", "cursor_line_start", show=False),
        Binding("end,ctrl+e", "cursor_line_end", show=False),
        Binding("shift+left", "cursor_left(True)", show=False),
        Binding("shift+right", "cursor_right(True)", show=False),
        Binding("shift+up", "cursor_up(True)", show=False),
        Binding("shift+down", "cursor_down(True)", show=False),
        Binding("shift+home", "cursor_line_start(True)", show=False),
        Binding("shift+end", "cursor_line_end(True)", show=False),
        Binding("backspace", "delete_left", show=False),
        Binding("ctrl+w,alt+backspace", "delete_word_left", show=False),
        Binding("delete,ctrl+d", "delete_right", show=False),
        Binding("alt+d", "delete_word_right", show=False),
        Binding("ctrl+u", "delete_to_start_of_line", show=False),
        Binding("ctrl+k", "delete_to_end_of_line_or_delete_line", show=False),
        Binding("ctrl+x", "cut", show=False),
        Binding("ctrl+v", "paste", show=False),
        Binding("ctrl+underscore", "undo", show=False),
        Binding("ctrl+y", "redo", show=False),
    ]

    @dataclass
    class Submitted(Message):
        """Enter was pressed on `text` (tokens expanded); the prompt keeps its draft until `sent()`."""

        text: str

    def __init__(self) -> None:
        super().__init__(
            id="prompt", soft_wrap=True, tab_behavior="focus", show_line_numbers=False, highlight_cursor_line=False
        )
        self.cursor_blink = False
        self.past = PromptHistory()
        self._pastes = Pastes()

    @property
    def draft(self) -> Draft:
        """Return the prompt as typed."""
        return Draft(self.text, self._pastes.used_in(self.text))

    @property
    def whole_text(self) -> str:
        """Return what would be sent: the text with its pastes."""
        return self._pastes.expand(self.text)

    def ask_about(self, model: str) -> None:
        """Name the model in the placeholder."""
        self.placeholder = Content(f"Ask {shown_line(model) or 'the model'} …")

    def sent(self) -> None:
        """The text was taken: remember and empty it."""
        self.past.add(self.draft)
        self._show(Draft(""))
        self._pastes.clear()

    def keep_and_clear(self) -> None:
        """Empty the prompt; Up brings the text back."""
        self.sent()

    def insert_typed(self, text: str) -> None:
        """Insert text at the cursor as if it was typed."""
        self.insert(text, maintain_selection_offset=False)

    def on_key(self, event: events.Key) -> None:
        """Send with Enter, break the line with the keys that do."""
        if event.key == "enter":
            self._take(event)
            self._enter()
        elif event.key in NEWLINE_KEYS:
            self._take(event)
            self.insert_typed("\n")
        elif event.is_printable:
            self.past.forget_place()

    def on_paste(self, event: events.Paste) -> None:
        """Insert what was pasted; never send it."""
        self._take(event)
        self.past.forget_place()
        self.insert_typed(self._pastes.take(event.text))

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up; from the first row, to the question before."""
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        elif (earlier := self.past.earlier(self.draft)) is not None:
            self._show(earlier)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down; from the last row, to the question after."""
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        elif (later := self.past.later()) is not None:
            self._show(later)

    def action_delete_left(self) -> None:
        """Delete the character before the cursor, or the whole token of a paste."""
        row, column = self.cursor_location
        length = self._pastes.token_before(self.document.get_line(row), column)
        if length and self.selection.is_empty:
            self.delete((row, column - length), (row, column))
        else:
            super().action_delete_left()

    def _enter(self) -> None:
        row, column = self.cursor_location
        if self.document.get_line(row)[:column].endswith("\\"):
            self.delete((row, column - 1), (row, column))
            self.insert_typed("\n")
        elif self.text.strip():
            self.post_message(self.Submitted(self._pastes.expand(self.text)))

    def _show(self, draft: Draft) -> None:
        self._pastes.restore(draft.pastes)
        self.load_text(draft.text)
        self.move_cursor(self.document.end)

    def _take(self, event: events.Event) -> None:
        event.stop()
        event.prevent_default()
