"""Calls without a result get one, every time and on a copy."""

from __future__ import annotations

import pytest
from vllm_tui.domain.blocks import ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message
from vllm_tui.provider.history import Repair, repair

USER = Message(role="user", content="hi")
DEVELOPER = Message(role="developer", content="notes")


def calls(*ids: str) -> Message:
    return Message(role="assistant", content=tuple(ToolCallBlock(id=name, name="look") for name in ids))


def result(name: str) -> Message:
    return Message(role="tool", content="real", name="look", tool_call_id=name)


def shape(messages: tuple[Message, ...]) -> list[str]:
    """Return the roles, with the call answered and a star for what was not there before."""
    return [
        f"{m.role} {m.tool_call_id}{'' if m.content == 'real' else '*'}"
        if m.role == "tool"
        else f"{m.role}*"
        if m.role == "assistant" and not m.tool_calls
        else m.role
        for m in messages
    ]


@pytest.mark.parametrize(
    ("messages", "expected", "lost"),
    [
        ((USER, calls("a"), USER), ["user", "assistant", "tool a*", "assistant*", "user"], ["a"]),
        ((USER, calls("z")), ["user", "assistant", "tool z*"], ["z"]),
        ((calls("a", "b"),), ["assistant", "tool a*", "tool b*"], ["a", "b"]),
        ((calls("a", "b"), result("a"), USER), ["assistant", "tool b*", "tool a", "user"], ["b"]),
        ((calls("a"), result("a"), USER), ["assistant", "tool a", "user"], []),
        ((calls("a", "a"),), ["assistant", "tool a*"], ["a"]),
        ((calls("a"), DEVELOPER, USER), ["assistant", "tool a*", "assistant*", "developer", "user"], ["a"]),
        ((calls("a"), calls("b")), ["assistant", "tool a*", "assistant", "tool b*"], ["a", "b"]),
        ((result("a"), calls("a")), ["tool a", "assistant", "tool a*"], ["a"]),
        ((calls(""), USER), ["assistant", "user"], []),
        ((), [], []),
    ],
)
def test_every_gap_is_filled_in_its_place(messages: tuple[Message, ...], expected: list[str], lost: list[str]) -> None:
    repaired, repairs = repair(messages)
    assert (shape(repaired), repairs) == (expected, tuple(Repair(name, "look") for name in lost))


def test_a_result_inside_a_user_message_counts() -> None:
    answer = Message(role="user", content=(ToolResultBlock(tool_call_id="a", output="r"),))
    assert repair((calls("a"), answer)) == ((calls("a"), answer), ())


def test_a_call_id_used_again_needs_a_result_again() -> None:
    repaired, repairs = repair((calls("a"), result("a"), calls("a")))
    assert (shape(repaired), len(repairs)) == (["assistant", "tool a", "assistant", "tool a*"], 1)


def test_the_same_gap_is_repaired_every_time_and_the_list_is_left_alone() -> None:
    messages = [USER, calls("a"), USER]
    assert repair(messages) == repair(messages)
    assert messages == [USER, calls("a"), USER]


def test_the_note_names_tool_and_call() -> None:
    repaired, _ = repair((calls("call_9"),))
    assert repaired[1] == Message(
        role="tool",
        name="look",
        tool_call_id="call_9",
        content="The result of the tool look (call call_9) was lost. The run may have been interrupted, the tool may "
        "have crashed, or its answer was not saved. Tell the user that the result is missing and offer to try again.",
    )
