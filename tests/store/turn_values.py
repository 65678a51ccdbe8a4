"""Turns for the tests of the store."""

from __future__ import annotations

from typing import Any

from vllm_tui.domain.blocks import Block, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Round, Timing, Turn
from vllm_tui.domain.usage import Usage


def turn(turn_id: str = "t1", text: str = "Why?", **fields: Any) -> Turn:
    fields.setdefault("conversation_id", "c1")
    fields.setdefault("question", Message(role="user", content=text))
    return Turn(id=turn_id, **fields)


def answered(before: Turn, *rounds: tuple[Block, ...], **fields: Any) -> Turn:
    entries = tuple(Round(answer=Message(role="assistant", content=blocks)) for blocks in rounds)
    return before.model_copy(update={"rounds": entries, **fields})


FULL = turn(
    parent_id="t0",
    question=Message(
        role="user",
        content=(TextBlock(text="What is\nthis?"), ImageBlock.from_bytes(b"\x89PNG", "image/png")),
        metadata={"pasted": None},
    ),
    rounds=(
        Round(
            answer=Message(
                role="assistant",
                content=(
                    ThinkingBlock(thinking="Let me\x00 see \x1b[31m"),
                    ToolCallBlock(id="call_1", name="look", input={"at": None, "n": [1]}, raw_arguments='{"at":null}'),
                    ToolCallBlock(id="call_2", name="look", input="{bad", raw_arguments="{bad", problem="not JSON"),
                    ToolCallBlock(id="call_3", name="look", input={}, repairs=("unpacked at",)),
                ),
                metadata={"vllm:response_id": "resp_1"},
            ),
            tool_results=(
                Message(role="tool", tool_call_id="call_1", content="a cat 🐈"),
                Message(
                    role="tool",
                    tool_call_id="call_2",
                    content=(ToolResultBlock(tool_call_id="call_2", output={"no": None}, is_error=True),),
                ),
            ),
            usage=Usage(input_tokens=10, output_tokens=5, total_tokens=15, source="estimate"),
            timing=Timing(first_event=0.1, first_token=0.2, elapsed=1.5),
            response_id="resp_1",
        ),
        Round(answer=Message(role="assistant", content=(TextBlock(text=""),)), continues=True),
        Round(answer=Message(role="assistant", content="plain text")),
        Round(answer=Message(role="assistant", content=())),
    ),
    status="failed",
    model="a-model",
    effort="high",
    created=12.5,
    error="It broke. Try again.",
    notes=("Trimmed.",),
    metadata={"k": [1, None]},
)
