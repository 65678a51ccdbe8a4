"""What a provider answers, and what it knows of a model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonValue, Value

FinishReason = Literal["stop", "tool_calls", "length", "content_filter", "cancelled", "interrupted"]
ResponseStatus = Literal["completed", "incomplete", "cancelled", "interrupted"]


class ChatResponse(Value):
    """One answer in blocks, in the order they arrived.

    `usage` is None when nobody knows it. `status` is the server's word for how it ended, `interrupted` when the
    connection broke first. Provider facts live in `metadata` under keys such as `vllm:response_id`.
    """

    content: tuple[Block, ...] = ()
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    response_id: str | None = None
    status: ResponseStatus = "completed"
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the answer: text blocks joined by a blank line and stripped, reasoning left out."""
        return "\n\n".join(block.text for block in self.content if isinstance(block, TextBlock)).strip()

    @property
    def thinking(self) -> str:
        """Return the reasoning: thinking blocks joined by a blank line."""
        return "\n\n".join(block.thinking for block in self.content if isinstance(block, ThinkingBlock))

    @property
    def tool_calls(self) -> tuple[ToolCallBlock, ...]:
        """Return the calls the model asks for, in order."""
        return tuple(block for block in self.content if isinstance(block, ToolCallBlock))


class ModelInfo(Value):
    """A model the server serves; windows are in tokens, None where the server does not say.

    `context_window_source` names the field the window was read from, such as `max_model_len`.
    """

    id: str
    display_name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    context_window_source: str | None = None
    parent: str | None = None
    capabilities: tuple[str, ...] = ()
