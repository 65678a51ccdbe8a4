"""Our answer as the kernel's."""

from __future__ import annotations

from amplifier_core import content_models as shown
from amplifier_core import message_models as kernel
from amplifier_core import models

from vllm_tui.amplifier.request_map import ARGUMENTS_ERROR, RAW_ARGUMENTS
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonObject

DEFAULT_WINDOW = 128_000
DEFAULT_OUTPUT = 32_768


def response_of(response: ChatResponse) -> kernel.ChatResponse:
    """Return the kernel's answer; `text` (None without an answer) and `content_blocks` are extras its hosts read."""
    calls = [kernel.ToolCall(id=call.id, name=call.name, arguments=arguments_of(call)) for call in response.tool_calls]
    return kernel.ChatResponse(
        content=[found for block in response.content if (found := _block(block)) is not None],
        tool_calls=calls or None,
        usage=usage_of(response.usage),
        finish_reason=response.finish_reason,
        metadata=_metadata(response),
        text=response.text or None,
        content_blocks=[found for block in response.content if (found := _shown(block)) is not None],
    )


def arguments_of(call: ToolCallBlock) -> JsonObject:
    """Return arguments as the object the kernel wants; text that is none travels with the reason."""
    if isinstance(call.input, dict):
        return call.input
    return {RAW_ARGUMENTS: call.input, ARGUMENTS_ERROR: call.problem or "the arguments are no JSON object"}


def usage_of(usage: Usage | None) -> kernel.Usage | None:
    """Return token counts; None when neither side is known. What a server did not report stays None, cost too."""
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    given, made = usage.input_tokens or 0, usage.output_tokens or 0
    return kernel.Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=given + made,
        reasoning_tokens=usage.reasoning_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        source=usage.source,
    )


def model_of(info: ModelInfo, configured_window: int | None, configured_output: int | None) -> models.ModelInfo:
    """Return a model with its limits: what it serves, bounded by the configuration; half of the window for output."""
    window = min([entry for entry in (info.context_window, configured_window) if entry], default=DEFAULT_WINDOW)
    ceilings = (configured_output or DEFAULT_OUTPUT, max(1, window // 2), info.max_output_tokens or window)
    return models.ModelInfo(
        id=info.id,
        display_name=info.display_name,
        context_window=window,
        max_output_tokens=min(ceilings),
        capabilities=list(info.capabilities),
    )


def _metadata(response: ChatResponse) -> JsonObject:
    known: JsonObject = {"vllm:status": response.status}
    if response.response_id is not None:
        known["vllm:response_id"] = response.response_id
    return known | response.metadata


def _block(block: object) -> kernel.ContentBlockUnion | None:
    match block:
        case TextBlock(text=text):
            return kernel.TextBlock(text=text)
        case ThinkingBlock(thinking=thinking):
            return kernel.ThinkingBlock(thinking=thinking)
        case ToolCallBlock(id=call_id, name=name) as call:
            return kernel.ToolCallBlock(id=call_id, name=name, input=arguments_of(call))
    return None


def _shown(block: object) -> shown.ContentBlock | None:
    match block:
        case TextBlock(text=text):
            return shown.TextContent(text=text)
        case ThinkingBlock(thinking=thinking):
            return shown.ThinkingContent(text=thinking)
        case ToolCallBlock(id=call_id, name=name) as call:
            return shown.ToolCallContent(id=call_id, name=name, arguments=arguments_of(call))
    return None
