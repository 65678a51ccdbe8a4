"""What is asked of a provider."""

from __future__ import annotations

from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.values import JsonObject, JsonValue, Value


class ChatRequest(Value):
    """One request: messages, tools and what differs from the provider's configuration.

    None always means "as configured". `tool_choice` is `auto`, `none`, `required` or
    `{"type": "function", "name": ...}`. `reasoning_effort` wins over the configured effort. `timeout` is in
    seconds and bounds one attempt. `metadata["stream"] = False` asks for one JSON reply instead of a stream.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    model: str | None = None
    tool_choice: str | JsonObject | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    stop: tuple[str, ...] | None = None
    response_format: JsonObject | None = None
    parallel_tool_calls: bool | None = None
    timeout: float | None = None
    metadata: dict[str, JsonValue] | None = None
