"""Tool calls while they stream: fragments with times, several at once, corrections."""

from __future__ import annotations

from vllm_tui.domain.blocks import TextBlock, ToolCallBlock
from vllm_tui.domain.call_watch import CallWatch, StreamedCall
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted
from vllm_tui.domain.tool_runs import Fragment

BLOCK = ToolCallBlock(id="c1", name="find", input={"a": 1}, raw_arguments='{"a":1}')


def test_a_call_can_be_watched_while_it_streams() -> None:
    watch = CallWatch()
    watch.begin_request()
    watch.add(BlockStarted(1, "tool_call", "find", "c1"), 10.0)
    watch.add(BlockDelta(1, "tool_call", '{"a"'), 10.5)
    open_call = StreamedCall(0, 1, "find", "c1", 10.0, (Fragment(0.5, '{"a"'),))
    assert watch.calls == (open_call,)
    watch.add(BlockDelta(1, "tool_call", ":1}"), 11.0)
    watch.add(BlockFinished(1, BLOCK), 11.0)
    fragments = (Fragment(0.5, '{"a"'), Fragment(1.0, ":1}"))
    assert watch.calls == (StreamedCall(0, 1, "find", "c1", 10.0, fragments, BLOCK),)
    assert watch.calls[0].text == '{"a":1}'


def test_requests_of_a_turn_are_kept_apart_and_other_blocks_ignored() -> None:
    watch = CallWatch()
    for number in range(2):
        watch.begin_request()
        watch.add(BlockStarted(0, "text"), 0.0)
        watch.add(BlockDelta(0, "text", "Hi"), 0.0)
        watch.add(BlockFinished(0, TextBlock(text="Hi")), 0.0)
        watch.add(BlockStarted(1, "tool_call", "find", f"c{number}"), 1.0)
    assert [(call.request, call.call_id) for call in watch.calls] == [(0, "c0"), (1, "c1")]
    assert watch.find("c1") == watch.calls[1]
    assert watch.find("c9") is None


def test_a_call_that_was_never_streamed_appears_when_it_is_finished() -> None:
    watch = CallWatch()
    watch.begin_request()
    watch.add(BlockFinished(3, BLOCK), 2.0)
    assert watch.calls == (StreamedCall(0, 3, "find", "c1", 2.0, (), BLOCK),)


def test_a_call_that_is_taken_back_is_gone() -> None:
    watch = CallWatch()
    watch.begin_request()
    watch.add(BlockStarted(0, "tool_call", "find", None), 0.0)
    watch.add(BlockFinished(0, None), 0.0)
    watch.add(BlockDelta(0, "tool_call", "late"), 0.0)
    assert watch.calls == ()
