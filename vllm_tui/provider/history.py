"""Answers tool calls that were left without a result, on a copy of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vllm_tui.domain.blocks import ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message

_LOST_RESULT = (
    "The result of the tool {name} (call {id}) was lost. The run may have been interrupted, the tool may have crashed, "
    "or its answer was not saved. Tell the user that the result is missing and offer to try again."
)
_BRIDGE = "A tool result is missing, so I could not finish that step."


@dataclass(frozen=True, slots=True)
class Repair:
    """A call that had no result and was answered with a note saying so."""

    tool_call_id: str
    tool_name: str


def repair(messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[Repair, ...]]:
    """Return the messages with every call answered, and what was added; nothing is remembered between calls.

    The notes stand right after the message that made the calls, in call order. A short assistant message follows
    them when the user speaks next, so that the answer to the tool and the answer to the user stay apart.
    """
    repaired: list[Message] = []
    repairs: list[Repair] = []
    for position, message in enumerate(messages):
        repaired.append(message)
        following = messages[position + 1 :]
        missing = _unanswered(message, following)
        repaired.extend(_lost(call) for call in missing)
        repairs.extend(Repair(call.id, call.name) for call in missing)
        if missing and _user_speaks_next(following):
            repaired.append(Message(role="assistant", content=_BRIDGE))
    return tuple(repaired), tuple(repairs)


def _unanswered(message: Message, following: Sequence[Message]) -> list[ToolCallBlock]:
    """Return the sendable calls of an assistant message that nothing answers, each id once."""
    if message.role != "assistant":
        return []
    calls: dict[str, ToolCallBlock] = {}
    for call in message.tool_calls:
        if call.id and call.name:
            calls.setdefault(call.id, call)
    if not calls:
        return []
    answered = {name for entry in (message, *following) for name in _answers(entry)}
    return [call for name, call in calls.items() if name not in answered]


def _answers(message: Message) -> set[str]:
    blocks = () if isinstance(message.content, str) else message.content
    found = {block.tool_call_id for block in blocks if isinstance(block, ToolResultBlock)}
    if message.role == "tool" and message.tool_call_id:
        found.add(message.tool_call_id)
    return found


def _lost(call: ToolCallBlock) -> Message:
    text = _LOST_RESULT.format(name=call.name, id=call.id)
    return Message(role="tool", content=text, name=call.name, tool_call_id=call.id)


def _user_speaks_next(following: Sequence[Message]) -> bool:
    """Return whether a user message is next; system and developer messages are sent ahead of the conversation."""
    roles = (message.role for message in following if message.role not in ("system", "developer"))
    return next(roles, None) == "user"
