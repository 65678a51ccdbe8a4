"""A turn: one question and all that came of it, as it is kept and shown again."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock
from vllm_tui.domain.messages import Message
from vllm_tui.domain.usage import Source, Usage, weaker
from vllm_tui.domain.values import JsonValue, Value

TurnStatus = Literal["running", "completed", "truncated", "cancelled", "failed", "interrupted"]
"""`interrupted`: the program or the connection ended first; `truncated`: cut at the output limit."""


class Timing(Value):
    """Seconds since the turn's request left; None for what did not happen."""

    first_event: float | None = None
    first_token: float | None = None
    first_answer: float | None = None
    elapsed: float | None = None


class PromptCount(Value):
    """The input of a request as it was counted before it left: tokens, by parts (name, tokens), and how."""

    input_tokens: int
    source: Source = "estimate"
    parts: tuple[tuple[str, int], ...] = ()
    context_window: int | None = None
    output_reserved: int | None = None
    note: str = ""

    def plus(self, more: PromptCount) -> PromptCount:
        """Return the sum with one more request of the same answer; window and reserve are the newer ones."""
        tokens: dict[str, int] = {}
        for name, count in (*self.parts, *more.parts):
            tokens[name] = tokens.get(name, 0) + count
        return more.model_copy(
            update={
                "input_tokens": self.input_tokens + more.input_tokens,
                "source": weaker(self.source, more.source),
                "parts": tuple(tokens.items()),
            }
        )


class Round(Value):
    """One request of a turn: what the model answered and what the tools it called returned.

    `counted` is what was known of its input before it left. `continues` means that the answer goes on where the
    answer of the round before was cut.
    """

    answer: Message
    tool_results: tuple[Message, ...] = ()
    counted: PromptCount | None = None
    usage: Usage | None = None
    timing: Timing = Timing()
    response_id: str | None = None
    continues: bool = False


class Turn(Value):
    """One question with its rounds; `created` is seconds since the epoch, `error` a message with its next step.

    `notes` are lines the program added while it ran, such as a trimmed history. `parent_id` is the turn before
    this one, None for the first; turns with the same parent are alternatives (answered again, edited question).
    """

    id: str
    conversation_id: str
    parent_id: str | None = None
    question: Message
    rounds: tuple[Round, ...] = ()
    status: TurnStatus = "running"
    model: str = ""
    effort: str | None = None
    created: float = 0.0
    error: str | None = None
    notes: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return the turn as messages in order: question, answer, tool results, answer, ..."""
        found: list[Message] = [self.question]
        for entry in self.rounds:
            if entry.continues and found[-1].role == "assistant":
                content = join_content(found[-1].content, entry.answer.content)
                found[-1] = entry.answer.model_copy(update={"content": content})
            else:
                found.append(entry.answer)
            found += entry.tool_results
        return tuple(found)


def join_content(before: str | tuple[Block, ...], after: str | tuple[Block, ...]) -> tuple[Block, ...]:
    """Return a cut answer and what continues it as one; the text at the seam is joined without a gap."""
    first = (TextBlock(text=before),) if isinstance(before, str) else before
    second = (TextBlock(text=after),) if isinstance(after, str) else after
    match first[-1:], second[:1]:
        case (TextBlock(text=head),), (TextBlock(text=tail),):
            return (*first[:-1], TextBlock(text=head + tail), *second[1:])
        case (ThinkingBlock(thinking=head),), (ThinkingBlock(thinking=tail),):
            return (*first[:-1], ThinkingBlock(thinking=head + tail), *second[1:])
        case _:
            return (*first, *second)


class ConversationSummary(Value):
    """A kept conversation in a list: its title is the first question; times are seconds since the epoch."""

    id: str
    title: str
    turns: int
    created: float
    updated: float
