"""Events of a stream, in the order a provider sends them.

A block opens with BlockStarted, grows by BlockDelta and closes with BlockFinished, whose `block` is the final
word on it; BlockFinished may come again for the same index when the server's final object corrects it, and
`block=None` takes the block back. Indexes count up from 0 over the whole response, continuations included: text
that is continued seamlessly goes on under the index it had. ResponseFinished is always last.

This module imports nothing heavy at run time, so that the screen can match on events before pydantic is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import Block
    from vllm_tui.domain.errors import VLLMError
    from vllm_tui.domain.response import ChatResponse

BlockKind = Literal["text", "thinking", "tool_call"]

NoticeCode = Literal[
    "streaming_unavailable",
    "store_unavailable",
    "input_truncated",
    "output_clamped",
    "plain_history",
    "effort_rejected",
    "model_substituted",
    "history_repaired",
    "stream_resumed",
    "arguments_repaired",
    "text_differs",
    "unterminated_items",
    "not_saved",
    "tool_limit",
    "tool_hint",
]


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A block opened; a tool call brings its name and, when known, its call id."""

    index: int
    kind: BlockKind
    name: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class BlockDelta:
    """Text for the open block `index`; for a tool call, a fragment of its arguments."""

    index: int
    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class BlockFinished:
    """The whole block as it stands; None takes it back."""

    index: int
    block: Block | None


@dataclass(frozen=True, slots=True)
class ResponseFinished:
    """The response is complete (or incomplete, by its status); nothing follows."""

    response: ChatResponse


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """Attempt `attempt` (from 1) failed with `error`; the next one leaves after `delay` seconds."""

    attempt: int
    max_retries: int
    delay: float
    error: VLLMError


@dataclass(frozen=True, slots=True)
class ContinuationStarted:
    """The answer was cut (`reason`) and is being continued, for the `number`-th time."""

    number: int
    max_continuations: int
    reason: str
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class PromptCounted:
    """The input of the request that leaves now was counted: `input_tokens` by `parts` (name, tokens), and how.

    `output_reserved` is what is asked for as the longest answer, `context_window` None where nobody knows it.
    `continues` is true for one more request of the same answer: its usage will be the sum of both.
    """

    input_tokens: int
    source: Literal["computed", "estimate"]
    output_reserved: int
    context_window: int | None = None
    parts: tuple[tuple[str, int], ...] = ()
    note: str = ""
    continues: bool = False


@dataclass(frozen=True, slots=True)
class HistoryTrimmed:
    """The oldest `dropped_messages` messages (`dropped_turns` questions) were left out to fit the window.

    Figures are tokens; `source` says how the count is known.
    """

    dropped_messages: int
    dropped_turns: int
    input_tokens: int
    context_window: int
    output_reserve: int
    source: Literal["server", "computed", "estimate"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know that changes nothing in the blocks."""

    code: NoticeCode
    message: str


StreamEvent = (
    BlockStarted
    | BlockDelta
    | BlockFinished
    | ResponseFinished
    | RetryScheduled
    | ContinuationStarted
    | PromptCounted
    | HistoryTrimmed
    | Notice
)
