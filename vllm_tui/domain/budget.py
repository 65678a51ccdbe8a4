"""Whether a request fits into a model's window, and which messages do: the oldest whole turns go first."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from vllm_tui.domain.blocks import Block, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.values import JsonValue

ESTIMATE_MARGIN = 0.15
"""Share added to an estimated input, so that it is rather too large than too small."""

_MARGIN_FLOOR = 64
_DROPPABLE = {
    "history": "older turns",
    "results": "tool results",
    "reasoning": "reasoning of earlier rounds",
    "tools": "tools that are not needed",
    "instructions": "instructions",
    "calls": "earlier tool calls",
    "question": "part of the question",
}
"""What a person can leave out, by part of the prompt."""

Verdict = Literal["unknown", "fits", "clamped", "too_long"]
"""`clamped`: it fits with a shorter answer than wanted. `unknown`: no window or no count."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How a request stands to the window. All in tokens.

    `input` holds the margin of an estimate already, which `margin` tells. `output` is what is left for the answer, at
    most what was wanted; `excess` what has to go before the wanted minimum fits. `advice` names what to drop.
    """

    verdict: Verdict
    input: int = 0
    margin: int = 0
    window: int = 0
    output: int = 0
    excess: int = 0
    advice: str = ""

    @property
    def free(self) -> int:
        """Return what neither the input nor the answer takes."""
        return max(0, self.window - self.input - self.output)


def check_budget(
    tokens: int | None,
    window: int | None,
    wanted_output: int,
    parts: Sequence[tuple[str, int]] = (),
    *,
    is_estimate: bool = False,
    least_output: int = 1,
) -> Budget:
    """Return whether `tokens` of input and `wanted_output` fit into `window`, `least_output` for an answer at least.

    An estimated input is taken with a margin; exact ones are taken as they are. `parts` are (name, tokens).
    """
    if tokens is None or not window:
        return Budget("unknown", window=window or 0)
    margin = max(_MARGIN_FLOOR, round(tokens * ESTIMATE_MARGIN)) if is_estimate else 0
    used = tokens + margin
    left = window - used
    if left < least_output:
        excess = least_output - left
        return Budget("too_long", used, margin, window, 0, excess, _advice(parts, excess))
    output = min(left, wanted_output)
    return Budget("fits" if output == wanted_output else "clamped", used, margin, window, output)


def is_input_cut(counted: int | None, reported: int | None, window: int | None) -> bool:
    """Return whether the server silently cut an input that was exactly `counted`: it kept all but one token of room."""
    if reported is None or not window or counted is None:
        return False
    return reported >= window - 1 and counted > reported


def _advice(parts: Sequence[tuple[str, int]], excess: int) -> str:
    """Name the largest part that can go; two when one is not enough."""
    candidates = sorted((part for part in parts if part[0] in _DROPPABLE), key=lambda part: -part[1])
    named: list[str] = []
    for name, tokens in candidates:
        named.append(f"{_DROPPABLE[name]} ({tokens:,} tokens)")
        excess -= tokens
        if excess <= 0 or len(named) == 2:
            break
    return f"Leave out {' and '.join(named)}." if named else "Shorten the conversation."


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
