"""What the top line says the program does."""

from __future__ import annotations

import pytest
from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.errors import ServerError
from vllm_tui.domain.events import BlockDelta, BlockStarted, ContinuationStarted, ResponseFinished, RetryScheduled
from vllm_tui.domain.messages import Message
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.turns import Turn, TurnStatus
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
)
from vllm_tui.ui.activity import READY, Activity, Status

CALL = ToolCallBlock(id="1", name="get_weather")
QUESTION = Message(role="user", content="?")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (RequestStarted(0), "waiting 1.5 s"),
        (BlockStarted(0, "thinking"), "thinking 1.5 s"),
        (BlockDelta(0, "thinking", "hm"), "thinking 1.5 s"),
        (BlockDelta(1, "text", "well"), "answering 74 tok/s"),
        (BlockDelta(2, "tool_call", "{"), "writing a tool call 1.5 s"),
        (ToolRunStarted(CALL), "running get_weather 1.5 s"),
        (ToolRunFinished(CALL, QUESTION, 0.3), "waiting 1.5 s"),
        (ContinuationStarted(1, 3, "max_output_tokens"), "continuing 1.5 s"),
        (RetryScheduled(2, 5, 5.5, ServerError("Busy.")), "retry 2 of 5 in 4 s"),
        (ResponseFinished(ChatResponse()), "waiting 3.5 s"),
    ],
)
def test_each_event_has_its_words(event: TurnEvent, text: str) -> None:
    activity = Activity()
    activity.begin(8.0)
    activity.observe(event, 10.0)
    assert activity.status(11.5, 74.2).text == text


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("completed", READY),
        ("truncated", Status("cut at 4,096 tokens", "warning")),
        ("cancelled", Status("cancelled", "warning")),
        ("interrupted", Status("interrupted", "error")),
        ("failed", Status("failed", "error")),
    ],
)
def test_a_finished_turn_leaves_its_outcome(status: TurnStatus, shown: Status) -> None:
    activity = Activity(max_tokens=4096)
    activity.begin(0.0)
    turn = Turn(id="t", conversation_id="c", question=QUESTION, status=status)
    activity.observe(TurnFinished(turn), 1.0)
    assert (activity.status(9.0), activity.is_running) == (shown, False)


def test_late_text_does_not_hide_that_the_turn_is_being_cancelled() -> None:
    activity = Activity()
    activity.cancelling(1.0)
    activity.observe(BlockDelta(0, "text", "late"), 1.5)
    assert activity.status(2.0).text == "cancelling 1.0 s"


def test_a_retry_that_is_due_counts_no_further_down() -> None:
    activity = Activity()
    activity.observe(RetryScheduled(1, 5, 2.0, ServerError("Busy.")), 0.0)
    assert [activity.retry_seconds(now) for now in (0.0, 1.2, 9.0)] == [2, 1, 0]
    activity.observe(RequestStarted(0), 2.0)
    assert activity.retry_seconds(2.0) is None


@pytest.mark.parametrize(("count", "text"), [(1, "a tool call waits for you"), (3, "3 calls wait for you")])
def test_calls_that_wait_for_the_person_come_before_tools_that_run(count: int, text: str) -> None:
    activity = Activity()
    activity.begin(0.0)
    activity.observe(ToolRunStarted(CALL), 1.0)
    activity.asked = count
    assert activity.status(2.0) == Status(text, "warning")
    activity.observe(ToolRunFinished(CALL, QUESTION, 0.3), 2.0)
    assert activity.status(3.0).text == text
    activity.asked = 0
    activity.runs("get_weather", 4.0)
    assert activity.status(5.0).text == "running get_weather 1.0 s"
    activity.cancelling(5.0)
    activity.asked = 1
    assert activity.status(6.0).text == "cancelling 1.0 s"
