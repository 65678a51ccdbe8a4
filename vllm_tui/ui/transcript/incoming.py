"""Folds the events of a running turn into the blocks of the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, assert_never

from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    ContinuationStarted,
    HistoryTrimmed,
    Notice,
    PromptCounted,
    ResponseFinished,
    RetryScheduled,
)
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from vllm_tui.ui.transcript import notes, tool_card
from vllm_tui.ui.transcript.blocks import Block, BlockKind, ToolCall

if TYPE_CHECKING:
    from vllm_tui.domain import blocks as domain
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.domain.turns import Turn
    from vllm_tui.ui.transcript.document import Document


class Incoming:
    """The blocks of the request that runs, by their index."""

    def __init__(self, document: Document, clock: Callable[[], float]) -> None:
        self._document = document
        self._clock = clock
        self._round: dict[int, Block] = {}
        self._before: dict[int, str] = {}
        self._cut: Block | None = None

    def live(self) -> list[Block]:
        """Return the reasoning that is streaming."""
        return [block for block in self._round.values() if block.kind == "thinking" and block.state == "streaming"]

    def forget(self) -> None:
        """Know no blocks any more."""
        self._round.clear()
        self._before.clear()
        self._cut = None

    def apply(self, event: TurnEvent) -> None:
        """Take one event."""
        match event:
            case BlockDelta(index=index, kind=kind, text=text):
                self._grow(index, kind, text)
            case BlockStarted(index=index, kind=kind, name=name, call_id=call_id):
                self._start(index, kind, name, call_id)
            case BlockFinished(index=index, block=final):
                self._finish(index, final)
            case ResponseFinished(response=response):
                self._count(response)
            case TurnStarted():
                self._begin_turn(event)
            case RequestStarted(continues=continues):
                self._begin_round()
                self._cut = self._last_answer() if continues else None
            case ToolRunStarted(call=call):
                self._run_tool(call)
            case ToolRunFinished(call=call, result=result, seconds=seconds):
                self._document.touch(tool_card.answer(self._card(call), result, seconds), reshape=True)
            case TurnFinished(turn=turn, error=error):
                self._end(turn, error)
            case RetryScheduled() | ContinuationStarted() | HistoryTrimmed() | Notice():
                self._document.add_note(*notes.of_event(event))
            case PromptCounted():
                pass
            case _:
                assert_never(event)

    def _begin_turn(self, event: TurnStarted) -> None:
        self._begin_round()
        if not event.is_resumed or not self._document.resume_turn(event.turn.id):
            self._document.begin_turn(event.turn.id, event.turn.question.text, event.replaced)

    def _begin_round(self) -> None:
        self._document.remove_note(self._document.retry_note)
        for block in self._round.values():
            self._close(block)
        self.forget()

    def _grow(self, index: int, kind: BlockKind, text: str) -> None:
        block = self._round.get(index) or self._start(index, kind)
        was_empty = block.is_empty
        block.append(text)
        block.tokens = (block.tokens or 0) + 1
        if block.state in ("done", "waiting"):
            block.state, block.exact = "streaming", False
        self._document.touch(block, reshape=was_empty)

    def _start(self, index: int, kind: BlockKind, name: str | None = None, call_id: str | None = None) -> Block:
        block = self._round.get(index)
        if block is None:
            block = self._go_on(index, kind) or self._open(index, kind)
        if block.tool:
            block.tool.name = name or block.tool.name
            block.tool.call_id = call_id or block.tool.call_id
        self._document.touch(block)
        return block

    def _last_answer(self) -> Block | None:
        """Return the block at which the answer was cut: the last one that came from the model."""
        turn = self._document.turn
        blocks = [block for block in self._document.blocks if block.turn == turn]
        return next((block for block in reversed(blocks) if block.kind in ("text", "thinking")), None)

    def _go_on(self, index: int, kind: BlockKind) -> Block | None:
        """Return the cut block when the first block of its continuation is of the same kind."""
        block, self._cut = self._cut, None
        if block is None or block.kind != kind:
            return None
        self._round[index], self._before[index] = block, block.source
        block.state = "streaming"
        return block

    def _open(self, index: int, kind: BlockKind) -> Block:
        self._document.remove_note(self._document.retry_note)
        later = min((key for key in self._round if key > index), default=None)
        block = self._document.add(kind, before=None if later is None else self._round[later])
        block.state, block.began = "streaming", self._clock()
        if kind == "tool_call":
            block.tool = ToolCall()
            block.append(tool_card.OPENING)
        self._round[index] = block
        for key, before in self._round.items():
            if key < index and before.kind == "thinking" and not before.answered:
                before.answered = True
                self._close(before)
        return block

    def _finish(self, index: int, final: domain.Block | None) -> None:
        block = self._round.get(index)
        if final is None:
            if block is not None:
                del self._round[index]
                self._document.remove(block)
            return
        if final.type == "tool_result" or final.type == "image":  # noqa: PLR1714 - narrows the type
            return
        if block is None:
            block = self._start(index, final.type)
        if final.type == "tool_call":
            tool_card.fill(block, final)
        else:
            text = final.thinking if final.type == "thinking" else final.text
            block.replace(self._before.get(index, "") + text)
        self._close(block)

    def _close(self, block: Block) -> None:
        if block.state == "streaming":
            block.state = "waiting" if block.kind == "tool_call" else "done"
            if block.kind == "thinking" and block.began is not None:
                block.seconds = self._clock() - block.began
        self._document.touch(block, reshape=True)

    def _count(self, response: ChatResponse) -> None:
        """Put the server's count in place of the count of deltas, where it can only mean one block."""
        found = [block for block in self._round.values() if block.kind == "thinking"]
        if len(found) == 1 and response.usage and response.usage.reasoning_tokens:
            found[0].tokens = response.usage.reasoning_tokens
            found[0].exact = response.usage.source != "estimate"
            self._document.touch(found[0])

    def mark_call(self, call: domain.ToolCallBlock, state: Literal["asking", "running"]) -> None:
        """Show that a call waits for the person or runs."""
        block = self._card(call)
        if block.state in ("waiting", "running", "asking"):
            block.state = state
            self._document.touch(block)

    def _run_tool(self, call: domain.ToolCallBlock) -> None:
        block = self._card(call)
        block.state = "running"
        self._document.touch(block)

    def _card(self, call: domain.ToolCallBlock) -> Block:
        """Return the card of a call of this turn, a new one when the stream brought none."""
        turn = self._document.turn
        for block in reversed(self._document.blocks):
            if block.turn == turn and block.tool and block.tool.call_id == call.id:
                return block
        return tool_card.fill(self._document.add("tool_call"), call)

    def _end(self, turn: Turn, error: VLLMError | None) -> None:
        is_whole = turn.status in ("completed", "truncated")
        self._begin_round()
        for block in self._document.blocks:
            if block.turn != self._document.turn:
                continue
            if block.state in ("running", "waiting", "asking") or (not is_whole and block.kind == "text"):
                block.state = "cut"
            block.answered = True
            self._document.touch(block, reshape=True)
        for kind, text in notes.of_ending(turn, error):
            self._document.add_note(kind, text)
