"""What the next request tells the model about earlier turns: every role in its place, every call answered.

An earlier question that got no answer is left out, as two questions in a row are refused by many chat templates.
What a cut answer had said stays; a call that was cut while its arguments were streamed goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from vllm_tui.domain.blocks import Block, TextBlock, ToolCallBlock
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Turn

NOT_RUN = "This tool did not run: the turn was stopped before its result was known."
NOT_ANSWERED = "(This answer was stopped before it began.)"
CONTINUE_MARK = "vllm:continue"
"""Metadata key of a last assistant message that the model is to go on with."""


def past_messages(turns: Iterable[Turn]) -> tuple[Message, ...]:
    """Return the messages of turns that are over, in order."""
    return tuple(message for turn in turns for message in _closed(turn))


def running_messages(turn: Turn) -> tuple[Message, ...]:
    """Return the messages of the turn that is being answered; a cut answer at its end is marked to be continued."""
    messages = _answered(turn.messages)
    last = messages[-1]
    if last.role != "assistant":
        return messages
    return (*messages[:-1], last.model_copy(update={"metadata": {**(last.metadata or {}), CONTINUE_MARK: True}}))


def _closed(turn: Turn) -> tuple[Message, ...]:
    messages = tuple(message for message in _answered(turn.messages) if _says_something(message))
    if len(messages) == 1:
        return ()
    if messages[-1].role == "tool":
        return (*messages, Message(role="assistant", content=(TextBlock(text=NOT_ANSWERED),)))
    return messages


def _answered(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages with cut calls and empty answers gone and a result after every call, in call order."""
    found: list[Message] = []
    for place, original in enumerate(messages):
        if original.role == "tool":
            continue
        results = _results_after(messages, place)
        message = _without_cut_calls(original, set(results))
        if message.role == "assistant" and not message.content:
            continue
        found.append(message)
        found += [results[call.id].popleft() if results.get(call.id) else _not_run(call) for call in message.tool_calls]
    return tuple(found)


def _results_after(messages: Sequence[Message], place: int) -> dict[str, deque[Message]]:
    found: dict[str, deque[Message]] = {}
    for message in _tool_messages(messages[place + 1 :]):
        found.setdefault(message.tool_call_id or "", deque()).append(message)
    return found


def _tool_messages(messages: Sequence[Message]) -> Iterator[Message]:
    for message in messages:
        if message.role != "tool":
            return
        yield message


def _without_cut_calls(message: Message, answered: set[str]) -> Message:
    if isinstance(message.content, str):
        return message
    content = tuple(block for block in message.content if not _is_cut(block, answered))
    return message if len(content) == len(message.content) else message.model_copy(update={"content": content})


def _is_cut(block: Block, answered: set[str]) -> bool:
    return (
        isinstance(block, ToolCallBlock)
        and block.id not in answered
        and (isinstance(block.input, str) or not block.id or not block.name)
    )


def _says_something(message: Message) -> bool:
    return message.role != "assistant" or bool(message.tool_calls) or bool(message.text.strip())


def _not_run(call: ToolCallBlock) -> Message:
    return Message(role="tool", tool_call_id=call.id, name=call.name, content=NOT_RUN)
