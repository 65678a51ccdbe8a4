"""Messages of a conversation and the tools a request may offer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vllm_tui.domain.blocks import Block, TextBlock, ToolCallBlock
from vllm_tui.domain.values import JsonObject, JsonValue, Value

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(Value):
    """One message; `content` is plain text or blocks, `tool_call_id` joins a tool message to its call."""

    role: Role
    content: str | tuple[Block, ...]
    name: str | None = None
    tool_call_id: str | None = None
    metadata: dict[str, JsonValue] | None = None

    @property
    def text(self) -> str:
        """Return the visible text; several text blocks are joined with a newline."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(block.text for block in self.content if isinstance(block, TextBlock))

    @property
    def tool_calls(self) -> tuple[ToolCallBlock, ...]:
        """Return the calls this message asks for, in order."""
        if isinstance(self.content, str):
            return ()
        return tuple(block for block in self.content if isinstance(block, ToolCallBlock))


def _no_parameters() -> JsonObject:
    return {"type": "object", "properties": {}}


class ToolSpec(Value):
    """A function the model may call; `parameters` is a JSON Schema of an object."""

    name: str
    description: str | None = None
    parameters: JsonObject = Field(default_factory=_no_parameters)
