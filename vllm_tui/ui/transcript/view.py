"""The transcript on screen: a document drawn line by line, with a block cursor that follows the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.segment import Segment
from textual import on
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from vllm_tui.domain.events import BlockDelta, RetryScheduled
from vllm_tui.domain.hygiene import clean, clean_line
from vllm_tui.engine.events import ToolRunFinished, ToolRunStarted, TurnEvent, TurnFinished, TurnStarted

if TYPE_CHECKING:
    from vllm_tui.domain.turns import Turn

ReasoningMode = Literal["show", "collapse", "hide"]
NoteKind = Literal["info", "warning", "error", "retry", "success"]
_GLYPHS = {"question": "❯", "thinking": "┊", "text": " ", "tool_call": "▸", "footer": "●", "info": "·"}


class TranscriptView(ScrollView, can_focus=True):
    """Shows turns; is fed with events and says what the reader did."""

    DEFAULT_CSS = """
    TranscriptView { height: 1fr; overflow-x: hidden; scrollbar-gutter: stable; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "Block before", show=False),
        Binding("down,j", "cursor(1)", "Block after", show=False),
        Binding("enter,space", "fold", "Fold", show=False),
        Binding("y", "copy_block", "Copy block", show=False),
        Binding("c", "copy_code", "Copy code", show=False),
        Binding("g,home", "go_home", "Start", show=False),
        Binding("G,end", "go_end", "End", show=False),
        Binding("i", "choose", "Inspect", show=False),
    ]

    class FollowChanged(Message):
        """The view began or ceased to follow the end; `new_lines` counts lines below what is seen."""

        def __init__(self, following: bool, new_lines: int) -> None:
            super().__init__()
            self.following = following
            self.new_lines = new_lines

    class BlockChosen(Message):
        """A block was chosen for inspection."""

        def __init__(self, block_id: int, kind: str) -> None:
            super().__init__()
            self.block_id = block_id
            self.kind = kind

    class CopyRequested(Message):
        """The reader wants `text` on the clipboard; `what` names it."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    class LinkChosen(Message):
        """A link was clicked; show its target before opening it."""

        def __init__(self, url: str) -> None:
            super().__init__()
            self.url = url

    reasoning_mode: reactive[ReasoningMode] = reactive[ReasoningMode]("collapse")

    def __init__(self, *, rate: float = 12.0, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.rate = rate
        self._blocks: list[list[str]] = []
        self._open: dict[int, int] = {}
        self._rows: list[str] = []
        self._pending: Timer | None = None
        self._follow = True

    @property
    def following(self) -> bool:
        """Return whether the view follows the end."""
        return self._follow

    def apply(self, event: TurnEvent) -> None:
        """Take one event of the running turn; it is painted with the next tick."""
        match event:
            case TurnStarted(turn=turn):
                self._add("question", turn.question.text)
            case BlockDelta(index=index, kind=kind, text=text):
                if index not in self._open:
                    self._open[index] = self._add(kind, "")
                self._blocks[self._open[index]][1] += text
            case RetryScheduled():
                self._add("info", str(event.error))
            case ToolRunStarted() | ToolRunFinished():
                self._add("tool_call", event.call.name)
            case TurnFinished(turn=turn):
                self._open.clear()
                if turn.error:
                    self._add("info", turn.error)
            case _:
                pass
        self._mark()

    def load(self, turns: Sequence[Turn], footer: Callable[[Turn], str] | None = None) -> None:
        """Show stored turns; `footer` gives the figures line of each."""
        self.clear()
        for turn in turns:
            for message in turn.messages:
                self._add("question" if message.role == "user" else "text", message.text)
            if footer:
                self._add("footer", footer(turn))
        self._mark()

    def clear(self) -> None:
        """Show nothing."""
        self._blocks.clear()
        self._open.clear()
        self._mark()

    def add_note(self, kind: NoteKind, text: str) -> int:
        """Add a line of the program; return its id."""
        self._mark()
        return self._add("info", text)

    def update_note(self, note_id: int, text: str) -> None:
        """Change the text of a note."""
        self._blocks[note_id][1] = text
        self._mark()

    def remove_note(self, note_id: int) -> None:
        """Take a note away."""
        self._blocks[note_id][1] = ""
        self._mark()

    def set_footer(self, text: str) -> None:
        """Set the figures line under the newest turn."""
        if self._blocks and self._blocks[-1][0] == "footer":
            self._blocks[-1][1] = text
        else:
            self._add("footer", text)
        self._mark()

    def toggle_all_reasoning(self) -> None:
        """Fold or unfold all reasoning."""
        self.reasoning_mode = "collapse" if self.reasoning_mode == "show" else "show"

    def toggle_block(self) -> None:
        """Fold or unfold the block under the cursor."""

    def copy_text(self) -> str | None:
        """Return the source of the block under the cursor, None when there is none."""
        return self._blocks[-1][1] if self._blocks else None

    def code_blocks(self) -> list[str]:
        """Return the code blocks of the block under the cursor."""
        return []

    def _add(self, kind: str, text: str) -> int:
        self._blocks.append([kind, text])
        return len(self._blocks) - 1

    def _mark(self) -> None:
        if self._pending is None and self.is_mounted:
            self._pending = self.set_timer(1 / self.rate, self._tick)

    def _tick(self) -> None:
        self._pending = None
        width = max(10, self.size.width - 4)
        self._rows = []
        for kind, text in self._blocks:
            for line in clean(text).splitlines() if kind != "footer" else [clean_line(text)]:
                for at in range(0, max(len(line), 1), width):
                    self._rows.append(f" {_GLYPHS.get(kind, ' ')} {line[at : at + width]}")
            self._rows.append("")
        self.virtual_size = Size(self.size.width, len(self._rows))
        if self._follow:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def on_mount(self) -> None:
        """Paint what was given before."""
        self._mark()

    def render_line(self, y: int) -> Strip:
        """Return row `y` of the viewport."""
        index = y + self.scroll_offset.y
        if index >= len(self._rows):
            return Strip.blank(self.size.width)
        return Strip([Segment(self._rows[index])]).crop_extend(0, self.size.width, None)

    @on(Resize)
    def _resized(self) -> None:
        self._mark()

    def action_copy_block(self) -> None:
        """Ask for the block under the cursor to be copied."""
        text = self.copy_text()
        if text is not None:
            self.post_message(self.CopyRequested(text, "block"))

    def action_go_home(self) -> None:
        """Go to the start."""
        self._follow = False
        self.scroll_home(animate=False)

    def action_go_end(self) -> None:
        """Go to the end and follow it."""
        self._follow = True
        self.scroll_end(animate=False)
