"""Counts an answer on this side, and fills in usage where the server reported none."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

from vllm_tui.accounting.figures import Figure, weakest
from vllm_tui.accounting.ladder import Ladder, is_harmony_model
from vllm_tui.accounting.source import LOG_PREFIX
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.usage import Usage
from vllm_tui.domain.values import JsonObject, JsonValue

logger = logging.getLogger(__name__)


def is_usage_missing(response: ChatResponse) -> bool:
    """Return whether the server gave no usable number: none at all, or zeros for an answer that has text."""
    usage = response.usage
    return usage is None or (not usage.input_tokens and not usage.output_tokens and bool(response.content))


def fill_usage(
    response: ChatResponse,
    body: Mapping[str, JsonValue],
    model: str,
    ladder: Ladder,
    prompt: Figure | None = None,
) -> ChatResponse:
    """Return the response with computed or estimated usage where the server's is missing; else unchanged.

    `prompt` is the input where it was counted before; else it is counted now.
    """
    if not is_usage_missing(response):
        return response
    prompt = prompt or ladder.count_locally(body, model).figure
    nothing = Figure()  # an answer of no blocks still ends with a token or two, which nobody saw
    output, reasoning = count_answer(response, model, ladder) if response.content else (nothing, nothing)
    usage = Usage(
        input_tokens=_whole(prompt),
        output_tokens=_whole(output),
        total_tokens=None if output.value is None else (_whole(prompt) or 0) + (_whole(output) or 0),
        reasoning_tokens=_whole(reasoning),
        source=weakest((prompt, output)) or "estimate",
    )
    logger.info(
        "%s Injected usage: input=%s, output=%s, total=%s",
        LOG_PREFIX,
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
    )
    return response.model_copy(update={"usage": usage})


def count_answer(response: ChatResponse, model: str, ladder: Ladder) -> tuple[Figure, Figure]:
    """Return the tokens of an answer and of its reasoning: exact for gpt-oss with a vocabulary, else estimated."""
    renderer = ladder.renderer if is_harmony_model(model) else None
    if renderer is not None:
        counted = renderer.count_output(output_items(response.content), is_complete=response.status == "completed")
        note = "Counted as gpt-oss writes it, channel markers included (Harmony)."
        return Figure(counted.total, "computed", note), Figure(counted.reasoning, "computed", note)
    texts = [_text_of(block) for block in response.content]
    thoughts = [_text_of(block) for block in response.content if isinstance(block, ThinkingBlock)]
    total = [ladder.count_text(text).figure for text in texts]
    thought = [ladder.count_text(text).figure for text in thoughts]
    note = total[0].note if total else ""
    return _sum(total, note), _sum(thought, note)


def output_items(content: Sequence[Block]) -> tuple[JsonObject, ...]:
    """Return blocks as the output items of a Responses object."""
    items: list[JsonObject] = []
    for block in content:
        match block:
            case ThinkingBlock(thinking=text):
                items.append({"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]})
            case TextBlock(text=text):
                items.append({"type": "message", "content": [{"type": "output_text", "text": text}]})
            case ToolCallBlock(id=call_id, name=name):
                arguments = _text_of(block)
                items.append({"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments})
            case _:
                pass
    return tuple(items)


def _text_of(block: Block) -> str:
    match block:
        case ThinkingBlock(thinking=text) | TextBlock(text=text):
            return text
        case ToolCallBlock(raw_arguments=str(raw)):
            return raw
        case ToolCallBlock(input=given):
            return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        case _:
            return ""


def _whole(figure: Figure) -> int | None:
    return None if figure.value is None else int(figure.value)


def _sum(figures: Sequence[Figure], note: str) -> Figure:
    return Figure(sum(_whole(figure) or 0 for figure in figures), "estimate", note)
