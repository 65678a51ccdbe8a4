"""Which messages fit into a model's window: the oldest whole turns go first."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vllm_tui.domain.blocks import Block, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.values import JsonValue

IMAGE_TOKENS = 1000
MESSAGE_OVERHEAD = 4
"""Tokens of a chat template around one message or one tool."""

_STANDING = ("system", "developer")


@dataclass(frozen=True, slots=True)
class FitResult:
    """What is left to send; `tokens` is its count, `fits` is False when even the newest turn is too large."""

    messages: tuple[Message, ...]
    dropped_messages: int
    dropped_turns: int
    tokens: int
    fits: bool


def fit_messages(messages: Sequence[Message], room: int, count: Callable[[Sequence[Message]], int]) -> FitResult:
    """Return the messages that fit into `room` tokens after dropping as few of the oldest turns as possible.

    A turn begins at a user message. System and developer messages and the newest turn always stay, and a call is
    never parted from its result. `count` should not grow when messages go; it is asked a few times only.
    """
    cuts = _cuts(messages)
    low, high = 0, len(cuts) - 1
    whole = _without(messages, cuts[0], room, count)
    if whole.fits or not high:
        return whole
    fitting = _without(messages, cuts[high], room, count)
    while fitting.fits and high - low > 1:
        middle = (low + high) // 2
        tried = _without(messages, cuts[middle], room, count)
        if tried.fits:
            fitting, high = tried, middle
        else:
            low = middle
    return fitting


def estimate_tokens(messages: Sequence[Message], tools: Sequence[ToolSpec] = (), ratio: float = 4.0) -> int:
    """Return a rough count: characters / `ratio`, 1000 an image, and a little for each message and tool."""
    blocks = [block for message in messages if not isinstance(message.content, str) for block in message.content]
    characters = sum(len(message.content) for message in messages if isinstance(message.content, str))
    characters += sum(_characters(block) for block in blocks)
    characters += sum(len(tool.name) + len(tool.description or "") + len(_text(tool.parameters)) for tool in tools)
    images = sum(isinstance(block, ImageBlock) for block in blocks)
    overhead = MESSAGE_OVERHEAD * (len(messages) + len(tools))
    return math.ceil(characters / ratio) + IMAGE_TOKENS * images + overhead


def _without(
    messages: Sequence[Message], start: int, room: int, count: Callable[[Sequence[Message]], int]
) -> FitResult:
    """Return what remains when everything before `start` goes, standing messages excepted."""
    kept = tuple(item for place, item in enumerate(messages) if place >= start or item.role in _STANDING)
    turns = sum(_opens_turn(message) for message in messages[:start])
    tokens = count(kept)
    return FitResult(kept, len(messages) - len(kept), turns, tokens, tokens <= room)


def _cuts(messages: Sequence[Message]) -> list[int]:
    """Return the places where the messages may begin, oldest first: 0, and every turn that no call reaches across."""
    spans = _call_spans(messages)
    turns = [place for place, message in enumerate(messages) if place and _opens_turn(message)]
    return [0, *(place for place in turns if not any(call < place <= result for call, result in spans))]


def _call_spans(messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Return for each tool result the places of its call and of itself; a reused id means the latest call."""
    calls: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for place, message in enumerate(messages):
        spans += [(calls[name], place) for name in _answered(message) if name in calls]
        calls.update(dict.fromkeys((call.id for call in message.tool_calls), place))
    return spans


def _answered(message: Message) -> list[str]:
    """Return the ids of the calls this message brings results for."""
    blocks = () if isinstance(message.content, str) else message.content
    found = [block.tool_call_id for block in blocks if isinstance(block, ToolResultBlock)]
    return found if message.tool_call_id is None else [*found, message.tool_call_id]


def _opens_turn(message: Message) -> bool:
    """Return whether a person speaks here; a user message made of tool results only is no turn of its own."""
    if message.role != "user" or isinstance(message.content, str):
        return message.role == "user"
    return not message.content or any(not isinstance(block, ToolResultBlock) for block in message.content)


def _characters(block: Block) -> int:
    match block:
        case TextBlock():
            return len(block.text)
        case ThinkingBlock():
            return len(block.thinking)
        case ToolCallBlock():
            return len(block.name) + len(_text(block.input))
        case ToolResultBlock():
            return len(_text(block.output))
        case ImageBlock():
            return 0


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
