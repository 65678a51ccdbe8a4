"""The transcript as a widget: what it is given, and what its keys and the mouse do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from vllm_tui.ui.transcript import messages, tool_card
from vllm_tui.ui.transcript.blocks import Block, NoteKind, ReasoningMode
from vllm_tui.ui.transcript.canvas import Canvas
from vllm_tui.ui.transcript.document import Document
from vllm_tui.ui.transcript.layout import Seen
from vllm_tui.ui.transcript.paint import MARGIN
from vllm_tui.ui.transcript.render import copy_number

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.events import TurnEvent

_NAMES = {"tool_call": "tool call", "thinking": "reasoning", "text": "answer", "footer": "figures"}


class TranscriptView(Canvas, can_focus=True):
    """Shows turns; is fed with events, and says what the reader did. `rate` is frames a second while text streams."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "Block before", show=False),
        Binding("down,j", "cursor(1)", "Block after", show=False),
        Binding("enter,space", "toggle_block", "Fold", show=False),
        Binding("y", "copy_block", "Copy block", show=False),
        Binding("c", "copy_code", "Copy code block", show=False),
        Binding("i", "choose", "Inspect", show=False),
        Binding("g,home", "go_home", "Start", show=False),
        Binding("G,end", "go_end", "End", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]

    FollowChanged = messages.FollowChanged
    BlockChosen = messages.BlockChosen
    CopyRequested = messages.CopyRequested
    CodeAsked = messages.CodeAsked
    LinkChosen = messages.LinkChosen

    reasoning_mode: reactive[ReasoningMode] = reactive[ReasoningMode]("collapse")

    def __init__(
        self,
        *,
        rate: float = 12.0,
        clock: Callable[[], float] = time.monotonic,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(Document(clock), rate, clock, id)
        self._codes: list[str] = []

    # what it is given

    def apply(self, event: TurnEvent) -> None:
        """Take one event of the running turn; it is painted with the next frame."""
        self.document.apply(event)
        self.wake()

    def mark_call(self, call: ToolCallBlock, state: Literal["asking", "running"]) -> None:
        """Show that a call of the running turn waits for the person or runs."""
        self.document.mark_call(call, state)
        self.wake()

    def load(self, turns: Sequence[Turn], footer: Callable[[Turn], str] | None = None) -> None:
        """Show stored turns from their end; `footer` gives the figures line of each."""
        self.document.load(turns, footer)
        self.window.following = True
        self.wake()

    def add_note(self, kind: NoteKind, text: str) -> int:
        """Add a line of the program at the end; return its id."""
        note_id = self.document.add_note(kind, text)
        self.wake()
        return note_id

    def update_note(self, note_id: int, text: str) -> None:
        """Change the text of a note; nothing happens when it is gone."""
        self.document.update_note(note_id, text)
        self.wake()

    def remove_note(self, note_id: int) -> None:
        """Take a note away; nothing happens when it is gone."""
        self.document.remove_note(note_id)
        self.wake()

    def set_footer(self, text: str) -> None:
        """Set the figures line under the newest turn."""
        self.document.set_footer(text)
        self.wake()

    def toggle_all_reasoning(self) -> None:
        """Fold all reasoning when some of it is open, else unfold all."""
        self.reasoning_mode = self.document.toggle_reasoning()
        self.wake()

    def toggle_block(self) -> None:
        """Fold or unfold the block under the cursor."""
        self._fold(self._under_cursor)

    action_toggle_block = toggle_block

    def copy_text(self) -> str | None:
        """Return the source of the block under the cursor, None when there is none."""
        block = self._under_cursor
        if block is None:
            return None
        return tool_card.words(block.tool, block.source) if block.tool else block.source

    def code_blocks(self) -> list[str]:
        """Return the code blocks of the block under the cursor, in the order of their numbers."""
        block = self._under_cursor
        return block.code_blocks() if block is not None and block.kind in ("text", "tool_call") else []

    def watch_reasoning_mode(self, mode: ReasoningMode) -> None:
        """Show all reasoning the way that was chosen."""
        if self.document.mode != mode:
            self.document.set_mode(mode)
            self.wake()

    # the mouse

    def on_click(self, event: events.Click) -> None:
        """Fold by a header, follow a link, copy by a code block's number; else put the cursor on the block."""
        at = event.get_content_offset(self)
        if at is None or at.y >= len(self.window.seen) or self.text_selection is not None:
            return
        seen = self.window.seen[at.y]
        if seen.number < 0:
            return
        self.document.cursor = seen.block.id
        cell = at.x - MARGIN
        address = next((to for begin, end, to in seen.row.links if begin <= cell < end), None)
        if address:
            self.post_message(self.LinkChosen(address))
        elif number := copy_number(seen.row, cell):
            self._copy_code(self.code_blocks()[number - 1 : number], number)
        elif _is_header(self.document, seen):
            self._fold(seen.block)
        self.show_window()

    def on_key(self, event: events.Key) -> None:
        """Take the number of the code block that is to be copied."""
        codes, self._codes = self._codes, []
        if codes and (event.character or "").isdigit():
            number = int(event.character or "0")
            self._copy_code(codes[number - 1 : number] if number else [], number)
            event.stop()
            event.prevent_default()

    # keys

    def action_cursor(self, step: int) -> None:
        """Go to the block before or after; a block larger than the view is passed by half views."""
        block = self._under_cursor
        if block is not None and self.window.passes(block.id, step):
            self.show_window()
            return
        seen = [seen.block.id for seen in self.window.seen]
        moved = self.document.move_cursor(step, seen[-1] if seen else None)
        if moved is not None:
            self.window.reveal(moved.id)
            self.show_window()

    def action_copy_block(self) -> None:
        """Ask for the block under the cursor to be copied."""
        block, text = self._under_cursor, self.copy_text()
        if block is not None and text:
            self.post_message(self.CopyRequested(text, _NAMES.get(block.kind, block.kind)))

    def action_copy_code(self) -> None:
        """Ask for the code of the block to be copied; with several, the next key is the number of one."""
        codes = self.code_blocks()
        if len(codes) > 1:
            self._codes = codes
            self.post_message(self.CodeAsked(len(codes)))
        else:
            self._copy_code(codes, 1)

    def action_choose(self) -> None:
        """Say that the block under the cursor is to be inspected."""
        block = self._under_cursor
        if block is not None:
            self.post_message(self.BlockChosen(block.id, block.kind))

    def action_go_home(self) -> None:
        """Go to the first line."""
        self.window.scroll_to(0)
        self.document.move_cursor(-len(self.document.blocks))
        self.show_window()

    def action_go_end(self) -> None:
        """Go to the last line and follow the end from now on."""
        self.window.go_end()
        self.document.move_cursor(len(self.document.blocks))
        self.show_window()

    def action_page(self, pages: int) -> None:
        """Move by whole views."""
        self.window.scroll_to(self.window.top + pages * max(self.size.height - 1, 1))
        self.show_window()

    # inside

    @property
    def _under_cursor(self) -> Block | None:
        return self.document.block(self.document.cursor)

    def _fold(self, block: Block | None) -> None:
        if block is not None:
            self.document.toggle(block)
            self.window.hold(block.id)
            self.show_window()

    def _copy_code(self, codes: Sequence[str], number: int) -> None:
        if codes:
            self.post_message(self.CopyRequested(codes[0], f"code block {number}"))


def _is_header(document: Document, seen: Seen) -> bool:
    is_foldable = seen.block.kind in ("thinking", "tool_call") or document.is_folded(seen.block)
    return seen.number == 0 and is_foldable
