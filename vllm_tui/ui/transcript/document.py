"""The transcript as data: blocks in order, folds and a cursor, changed by the events of a turn. No drawing here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from vllm_tui.ui.transcript.blocks import Block, BlockKind, NoteKind, ReasoningMode
from vllm_tui.ui.transcript.incoming import Incoming

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.turns import Turn
    from vllm_tui.engine.events import TurnEvent


class Document:
    """Blocks of all turns. `changed` and `reshaped` tell the layout what to look at again.

    `clock` gives seconds that only grow; they time the reasoning while it streams.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.blocks: list[Block] = []
        self.cursor: int | None = None
        self.mode: ReasoningMode = "collapse"
        self.changed: set[int] = set()
        self.reshaped = True
        self.turn = 0
        self._turns: dict[str, int] = {}
        self._numbers = 0
        self.retry_note: int | None = None
        self._ids = 0
        self._incoming = Incoming(self, clock)

    @property
    def is_live(self) -> bool:
        """Return whether reasoning is streaming, whose head shows running seconds."""
        return bool(self._incoming.live())

    def touch_live(self) -> None:
        """Say that the running seconds of reasoning are others now."""
        for block in self._incoming.live():
            self.touch(block)

    def apply(self, event: TurnEvent) -> None:
        """Take one event; text costs the same however much there is already."""
        self._incoming.apply(event)

    def mark_call(self, call: ToolCallBlock, state: Literal["asking", "running"]) -> None:
        """Show that a call of the running turn waits for the person or runs; how it ended comes with its answer."""
        self._incoming.mark_call(call, state)

    def load(self, turns: Sequence[Turn], footer: Callable[[Turn], str] | None = None) -> None:
        """Replace everything by stored turns; `footer` gives the figures line of each."""
        from vllm_tui.ui.transcript.stored import fill_from_turn

        self.clear()
        for turn in turns:
            self.begin_turn(turn.id, turn.question.text)
            fill_from_turn(self, turn)
            text = footer(turn) if footer else ""
            if text:
                self.set_footer(text)

    def clear(self) -> None:
        """Forget all blocks; the reasoning mode stays."""
        self.blocks.clear()
        self._turns.clear()
        self._incoming.forget()
        self.cursor, self.retry_note, self.reshaped = None, None, True

    # blocks

    def block(self, block_id: int | None) -> Block | None:
        """Return the block with this id, None when it is gone."""
        return next((block for block in reversed(self.blocks) if block.id == block_id), None)

    def turn_of(self, block: Block) -> str:
        """Return the id of the turn a block belongs to, empty for a note of the program outside of any."""
        return next((turn_id for turn_id, number in self._turns.items() if number == block.turn), "")

    def begin_turn(self, turn_id: str, question: str, replaced: str | None = None) -> None:
        """Add the question of a new turn, in place of the turn it `replaced`."""
        gone = self._turns.pop(replaced, None) if replaced else None
        for block in [block for block in self.blocks if block.turn == gone]:
            self.remove(block)
        self._numbers += 1
        self.turn = self._turns[turn_id] = self._numbers
        self.add("question", question)

    def resume_turn(self, turn_id: str) -> bool:
        """Go on with a turn that is shown, without what it said on its end; False when it is not shown."""
        if turn_id not in self._turns:
            return False
        self.turn = self._turns[turn_id]
        for block in [b for b in self.blocks if b.turn == self.turn and b.kind in ("note", "footer")]:
            self.remove(block)
        return True

    def add(self, kind: BlockKind, text: str = "", before: Block | None = None) -> Block:
        """Add a block of the newest turn, at the end or before another."""
        self._ids += 1
        block = Block(self._ids, kind, self.turn, pieces=[text] if text else [])
        self.blocks.insert(self.blocks.index(before) if before else len(self.blocks), block)
        self.reshaped = True
        return block

    def remove(self, block: Block) -> None:
        """Take a block away; a cursor on it moves to the block before."""
        at = self.blocks.index(block)
        if self.cursor == block.id:
            self.cursor = self.blocks[at - 1].id if at else None
        del self.blocks[at]
        self.reshaped = True

    def touch(self, block: Block, *, reshape: bool = False) -> None:
        """Say that a block changed; `reshape` when it may have come, gone, folded or unfolded."""
        block.head.rows = None
        self.changed.add(block.id)
        self.reshaped = self.reshaped or reshape

    def add_note(self, kind: NoteKind, text: str) -> int:
        """Add a line of the program at the end; return its id. There is one retry note at a time."""
        if kind == "retry" and self.retry_note is not None:
            self.update_note(self.retry_note, text)
            return self.retry_note
        block = self.add("note", text)
        block.note = kind
        if kind == "retry":
            self.retry_note = block.id
        return block.id

    def update_note(self, note_id: int, text: str) -> None:
        """Change the text of a note; nothing happens when it is gone."""
        block = self.block(note_id)
        if block is not None and block.kind == "note":
            block.replace(text)
            self.touch(block, reshape=True)

    def remove_note(self, note_id: int | None) -> None:
        """Take a note away; nothing happens when it is gone."""
        block = self.block(note_id)
        if block is not None and block.kind == "note":
            self.remove(block)
        if note_id == self.retry_note:
            self.retry_note = None

    def set_footer(self, text: str) -> None:
        """Set the figures line of the newest turn."""
        for block in reversed(self.blocks):
            if block.turn != self.turn:
                break
            if block.kind == "footer":
                block.replace(text)
                self.touch(block, reshape=True)
                return
        self.add("footer", text)

    # folds and the cursor

    def is_visible(self, block: Block) -> bool:
        """Return whether the block takes any rows."""
        if block.kind == "thinking":
            return (self.mode != "hide" or block.fold is False) and not (block.is_empty and block.state == "done")
        return block.kind == "tool_call" or not block.is_empty

    def is_folded(self, block: Block) -> bool:
        """Return whether only the head of the block is shown."""
        if block.fold is not None:
            return block.fold
        if block.kind == "thinking":
            return self.mode != "show" and block.answered
        return block.kind == "tool_call"

    def set_mode(self, mode: ReasoningMode) -> None:
        """Choose how reasoning is shown; folds made by hand on reasoning are forgotten."""
        self.mode, self.reshaped = mode, True
        for block in self.blocks:
            if block.kind == "thinking":
                block.fold = None
                self.touch(block)

    def toggle(self, block: Block) -> None:
        """Fold or unfold one block; notes and figures stay as they are."""
        if block.kind not in ("note", "footer"):
            block.fold = not self.is_folded(block)
            self.touch(block, reshape=True)

    def toggle_reasoning(self) -> ReasoningMode:
        """Fold all reasoning when some is open, else unfold all; return the mode that fits."""
        reasoning = [block for block in self.blocks if block.kind == "thinking"]
        is_open = any(self.is_visible(block) and not self.is_folded(block) for block in reasoning)
        self.set_mode("collapse" if is_open or (not reasoning and self.mode == "show") else "show")
        for block in reasoning:
            block.fold = True if is_open else None
        return self.mode

    def move_cursor(self, step: int, start: int | None = None) -> Block | None:
        """Move to the visible block `step` further; without a cursor, go to `start` (a block's id) or to an end."""
        seen = [block for block in self.blocks if self.is_visible(block)]
        if not seen:
            return None
        ids = [block.id for block in seen]
        if self.cursor in ids:
            at = max(0, min(ids.index(self.cursor) + step, len(ids) - 1))
        else:
            at = ids.index(start) if start in ids else 0 if step < 0 else len(ids) - 1
        self.cursor = ids[at]
        return seen[at]
