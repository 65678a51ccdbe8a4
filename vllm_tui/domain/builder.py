"""Folds stream events into blocks, so that a streamed answer and a whole one are the same value."""

from __future__ import annotations

from collections.abc import Iterable

from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    ResponseFinished,
    StreamEvent,
)
from vllm_tui.domain.response import ChatResponse

_PIECE_LIMIT = 512


class ResponseBuilder:
    """Collects events; `content` is what has arrived, `response` the final value once it came.

    Cost is linear in the text: fragments are kept apart and joined when asked for.
    """

    def __init__(self) -> None:
        self._open: dict[int, _OpenBlock] = {}
        self._closed: dict[int, Block] = {}
        self._response: ChatResponse | None = None

    def add(self, event: StreamEvent) -> None:
        """Take one event; events that carry no content are ignored."""
        match event:
            case BlockDelta(index=index, kind=kind, text=text):
                self._block(index, kind).pieces.append(text)
            case BlockStarted(index=index, kind=kind, name=name, call_id=call_id):
                block = self._block(index, kind)
                block.name, block.call_id = name or block.name, call_id or block.call_id
            case BlockFinished(index=index, block=None):
                self._open.pop(index, None)
                self._closed.pop(index, None)
            case BlockFinished(index=index, block=final) if final is not None:
                self._open.pop(index, None)
                self._closed[index] = final
            case ResponseFinished(response=response):
                self._response = response
            case _:
                pass

    @property
    def response(self) -> ChatResponse | None:
        """Return the final response, None before it came."""
        return self._response

    @property
    def content(self) -> tuple[Block, ...]:
        """Return the blocks so far in order, open ones included."""
        blocks = dict(self._closed)
        blocks.update((index, block.as_block()) for index, block in self._open.items())
        return tuple(blocks[index] for index in sorted(blocks))

    def partial(self) -> ChatResponse:
        """Return what arrived as an interrupted response (or the final one, if it came)."""
        if self._response is not None:
            return self._response
        return ChatResponse(content=self.content, status="interrupted", finish_reason="interrupted")

    def _block(self, index: int, kind: BlockKind) -> _OpenBlock:
        block = self._open.get(index)
        if block is None:
            block = self._open[index] = _OpenBlock(kind, self._closed.pop(index, None))
        return block


class _OpenBlock:
    """A block that is still growing; a reopened one starts with the text it had."""

    def __init__(self, kind: BlockKind, before: Block | None) -> None:
        self.kind = kind
        self.name = before.name if isinstance(before, ToolCallBlock) else ""
        self.call_id = before.id if isinstance(before, ToolCallBlock) else ""
        self.pieces: list[str] = [_text_of(before)]

    def as_block(self) -> Block:
        text = "".join(self.pieces)
        if len(self.pieces) > _PIECE_LIMIT:
            self.pieces = [text]
        if self.kind == "thinking":
            return ThinkingBlock(thinking=text)
        if self.kind == "tool_call":
            return ToolCallBlock(
                id=self.call_id, name=self.name, input=text, raw_arguments=text, problem="still streaming"
            )
        return TextBlock(text=text)


def _text_of(block: Block | None) -> str:
    match block:
        case TextBlock(text=text):
            return text
        case ThinkingBlock(thinking=thinking):
            return thinking
        case ToolCallBlock(raw_arguments=raw):
            return raw or ""
        case _:
            return ""


def fold(events: Iterable[StreamEvent]) -> ChatResponse:
    """Return the response that `events` describe; an unfinished stream gives an interrupted one."""
    builder = ResponseBuilder()
    for event in events:
        builder.add(event)
    return builder.partial()
