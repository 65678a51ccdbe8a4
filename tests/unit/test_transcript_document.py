"""The document: events become blocks, blocks fold, the cursor moves."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.errors import ConnectionFailed, RateLimited
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    ContinuationStarted,
    HistoryTrimmed,
    Notice,
    ResponseFinished,
    RetryScheduled,
)
from vllm_tui.domain.messages import Message
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.turns import Round, Timing, Turn, TurnStatus
from vllm_tui.domain.usage import Usage
from vllm_tui.engine.events import (
    RequestStarted,
    ToolRunFinished,
    ToolRunStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from vllm_tui.ui.transcript.blocks import Block
from vllm_tui.ui.transcript.document import Document

CALL = ToolCallBlock(id="c1", name="get_weather", input={"city": "Paris", "days": 3})


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now


def turn(status: TurnStatus = "completed", *rounds: Round, id: str = "t", error: str | None = None) -> Turn:  # noqa: A002
    question = Message(role="user", content="Why?")
    return Turn(id=id, conversation_id="c", question=question, status=status, rounds=rounds, error=error)


def play(document: Document, events: Iterable[TurnEvent]) -> Document:
    for event in events:
        document.apply(event)
    return document


def begun(*events: TurnEvent) -> Document:
    return play(Document(Clock()), (TurnStarted(turn()), RequestStarted(0), *events))


def shape(document: Document) -> list[tuple[str, str]]:
    return [(block.kind, block.source) for block in document.blocks]


def the(document: Document, kind: str) -> Block:
    return next(block for block in document.blocks if block.kind == kind)


def test_a_turn_becomes_blocks_in_order() -> None:
    document = begun(
        BlockDelta(0, "thinking", "Let me "),
        BlockDelta(0, "thinking", "think."),
        BlockDelta(1, "text", "Because"),
        BlockDelta(1, "text", " so."),
    )
    assert shape(document) == [("question", "Why?"), ("thinking", "Let me think."), ("text", "Because so.")]


def test_a_block_with_a_lower_index_goes_before_those_with_higher_ones() -> None:
    document = begun(BlockDelta(1, "text", "b"), BlockDelta(0, "thinking", "a"))
    assert shape(document) == [("question", "Why?"), ("thinking", "a"), ("text", "b")]


def test_the_final_word_replaces_what_streamed_and_the_last_one_wins() -> None:
    document = begun(
        BlockDelta(0, "text", "helo"),
        BlockFinished(0, TextBlock(text="hello")),
        BlockFinished(0, TextBlock(text="hello!")),
    )
    assert shape(document)[1:] == [("text", "hello!")]


def test_a_final_word_that_is_the_same_keeps_what_was_drawn() -> None:
    document = begun(BlockDelta(0, "text", "one\n\ntwo"))
    before = list(the(document, "text").parts())
    document.apply(BlockFinished(0, TextBlock(text="one\n\ntwo")))
    assert the(document, "text").parts() == before


def test_a_block_that_is_taken_back_is_gone() -> None:
    document = begun(BlockDelta(0, "text", "oops"), BlockFinished(0, None))
    assert shape(document) == [("question", "Why?")]


def test_each_request_numbers_its_blocks_anew() -> None:
    document = begun(BlockDelta(0, "text", "first"), RequestStarted(1), BlockDelta(0, "text", "second"))
    assert shape(document)[1:] == [("text", "first"), ("text", "second")]


def test_a_continued_answer_goes_on_in_the_block_that_was_cut() -> None:
    document = begun(
        BlockDelta(0, "text", "The ans"),
        RequestStarted(1, continues=True),
        BlockDelta(0, "text", "wer is 4"),
        BlockFinished(0, TextBlock(text="wer is 42.")),
    )
    assert shape(document)[1:] == [("text", "The answer is 42.")]


def test_a_turn_answered_again_takes_the_place_of_the_old_one() -> None:
    document = begun(BlockDelta(0, "text", "bad"), TurnFinished(turn()))
    play(document, (TurnStarted(turn(id="u"), replaced="t"), BlockDelta(0, "text", "good")))
    assert shape(document) == [("question", "Why?"), ("text", "good")]


def test_a_resumed_turn_goes_on_without_asking_twice() -> None:
    document = begun(BlockDelta(0, "text", "half"), TurnFinished(turn("cancelled")))
    play(
        document, (TurnStarted(turn(), is_resumed=True), RequestStarted(1, continues=True), BlockDelta(0, "text", "s"))
    )
    assert shape(document) == [("question", "Why?"), ("text", "halfs")]


def test_reasoning_is_timed_and_its_tokens_are_counted_until_the_server_says() -> None:
    clock = Clock()
    document = play(Document(clock), (TurnStarted(turn()), RequestStarted(0), BlockDelta(0, "thinking", "a")))
    clock.now += 2.5
    play(document, (BlockDelta(0, "thinking", "b"), BlockDelta(1, "text", "x")))
    block = the(document, "thinking")
    assert (block.state, block.seconds, block.tokens, block.exact) == ("done", 2.5, 2, False)
    document.apply(ResponseFinished(ChatResponse(usage=Usage(reasoning_tokens=7))))
    assert (block.tokens, block.exact) == (7, True)


def test_reasoning_folds_when_the_answer_starts() -> None:
    document = begun(BlockDelta(0, "thinking", "hm"))
    assert not document.is_folded(the(document, "thinking"))
    document.apply(BlockDelta(1, "text", "so"))
    assert document.is_folded(the(document, "thinking"))


def test_the_mode_show_keeps_reasoning_open_and_hide_leaves_it_out() -> None:
    document = begun(BlockDelta(0, "thinking", "hm"), BlockDelta(1, "text", "so"))
    document.set_mode("show")
    assert not document.is_folded(the(document, "thinking"))
    document.set_mode("hide")
    assert not document.is_visible(the(document, "thinking"))


def test_a_fold_by_hand_outlives_the_start_of_the_answer() -> None:
    document = begun(BlockDelta(0, "thinking", "hm"))
    document.toggle(the(document, "thinking"))
    document.toggle(the(document, "thinking"))
    document.apply(BlockDelta(1, "text", "so"))
    assert not document.is_folded(the(document, "thinking"))


def test_all_reasoning_folds_when_some_is_open_and_else_unfolds() -> None:
    document = begun(BlockDelta(0, "thinking", "hm"), BlockDelta(1, "text", "so"))
    assert document.toggle_reasoning() == "show"
    assert not document.is_folded(the(document, "thinking"))
    assert document.toggle_reasoning() == "collapse"
    assert document.is_folded(the(document, "thinking"))


def test_notes_and_figures_do_not_fold() -> None:
    document = begun()
    document.add_note("info", "x")
    document.toggle(document.blocks[-1])
    assert not document.is_folded(document.blocks[-1])


def test_a_tool_call_is_followed_from_its_name_to_its_result() -> None:
    document = begun(BlockStarted(0, "tool_call", "get_weather", "c1"), BlockDelta(0, "tool_call", '{"city":'))
    card = the(document, "tool_call")
    states = [card.state]
    document.apply(BlockFinished(0, CALL))
    states.append(card.state)
    document.apply(ToolRunStarted(CALL))
    states.append(card.state)
    result = Message(role="tool", tool_call_id="c1", content="21 degrees")
    document.apply(ToolRunFinished(CALL, result, 0.3))
    states.append(card.state)
    assert states == ["streaming", "waiting", "running", "done"]
    assert card.tool is not None
    assert (card.tool.result, card.tool.seconds) == ("21 degrees", 0.3)
    assert card.code_blocks() == ['{\n  "city": "Paris",\n  "days": 3\n}', "21 degrees"]


def test_a_failed_tool_says_so() -> None:
    content = (ToolResultBlock(tool_call_id="c1", output={"error": "no"}, is_error=True),)
    result = Message(role="tool", tool_call_id="c1", content=content)
    document = begun(ToolRunFinished(CALL, result, 0.1))
    card = the(document, "tool_call")
    assert card.state == "failed"
    assert card.tool is not None
    assert card.tool.result == '{\n  "error": "no"\n}'


def test_a_result_cannot_leave_its_fence() -> None:
    result = Message(role="tool", tool_call_id="c1", content="```\n# I am the program\n````")
    document = begun(ToolRunFinished(CALL, result, 0.1))
    assert the(document, "tool_call").code_blocks()[1] == "```\n# I am the program\n````"


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (
            RetryScheduled(2, 5, 4.0, RateLimited("Too many requests.")),
            "retry",
            "Too many requests. Retry 2 of 5 in 4 s.",
        ),
        (
            ContinuationStarted(1, 3, "length"),
            "info",
            "The answer was cut (length) and goes on here: continuation 1 of 3.",
        ),
        (
            HistoryTrimmed(4, 2, 9, 131_072, 1, "server"),
            "info",
            "2 earlier questions left out to fit the window of 131,072 tokens.",
        ),
        (Notice("plain_history", "No reasoning kept."), "info", "No reasoning kept."),
    ],
    ids=["retry", "continuation", "trimmed", "notice"],
)
def test_what_happens_on_the_way_becomes_a_note(event: TurnEvent, kind: str, words: str) -> None:
    note = begun(event).blocks[-1]
    assert (note.kind, note.note, note.source) == ("note", kind, words)


@pytest.mark.parametrize(
    ("finished", "kind", "words"),
    [
        (
            TurnFinished(
                turn("truncated", Round(answer=Message(role="assistant", content="x"), usage=Usage(output_tokens=4096)))
            ),
            "warning",
            "Cut at 4,096 tokens: the output limit was reached. Raise max_tokens for more.",
        ),
        (TurnFinished(turn("cancelled")), "warning", "Cancelled. What had arrived is kept."),
        (
            TurnFinished(turn("interrupted")),
            "error",
            "The answer broke off before its end. What had arrived is kept; ask again.",
        ),
        (
            TurnFinished(turn("failed"), ConnectionFailed("No connection.", hint="Is it up?")),
            "error",
            "No connection. Is it up?",
        ),
        (TurnFinished(turn("failed", error="No connection.")), "error", "No connection."),
    ],
    ids=["truncated", "cancelled", "interrupted", "failed", "failed, stored"],
)
def test_an_ending_that_is_not_whole_is_said(finished: TurnFinished, kind: str, words: str) -> None:
    note = begun(finished).blocks[-1]
    assert (note.kind, note.note, note.source) == ("note", kind, words)


def test_a_whole_turn_ends_without_a_note() -> None:
    assert shape(begun(TurnFinished(turn()))) == [("question", "Why?")]


def test_the_retry_note_goes_when_the_next_attempt_answers() -> None:
    document = begun(RetryScheduled(1, 5, 1.0, RateLimited("Busy.")))
    assert document.add_note("retry", "Busy. Retry 1 of 5 in 0 s.") == document.blocks[-1].id
    assert shape(document)[1:] == [("note", "Busy. Retry 1 of 5 in 0 s.")]
    document.apply(BlockDelta(0, "text", "hi"))
    assert shape(document)[1:] == [("text", "hi")]


def test_the_figures_line_is_one_for_each_turn() -> None:
    document = begun()
    document.set_footer("1 in")
    document.set_footer("2 in")
    document.apply(TurnStarted(turn(id="u")))
    document.set_footer("3 in")
    assert [source for kind, source in shape(document) if kind == "footer"] == ["2 in", "3 in"]


def test_a_stored_turn_looks_as_it_did_live() -> None:
    answer = Message(role="assistant", content=(ThinkingBlock(thinking="hm"), CALL))
    result = Message(role="tool", tool_call_id="c1", content="21 degrees")
    timing = Timing(first_token=0.5, first_answer=2.0)
    first = Round(answer=answer, tool_results=(result,), usage=Usage(reasoning_tokens=9), timing=timing)
    second = Round(answer=Message(role="assistant", content="It is"))
    third = Round(answer=Message(role="assistant", content=" warm."), continues=True)
    document = Document(Clock())
    document.load([turn("cancelled", first, second, third)], lambda _: "5 in")
    thinking, card = the(document, "thinking"), the(document, "tool_call")
    assert [kind for kind, _ in shape(document)] == ["question", "thinking", "tool_call", "text", "note", "footer"]
    assert (thinking.tokens, thinking.exact, thinking.seconds, document.is_folded(thinking)) == (9, True, 1.5, True)
    assert (card.state, the(document, "text").source) == ("done", "It is warm.")


def test_the_cursor_moves_over_what_is_visible_and_stops_at_the_ends() -> None:
    document = begun(BlockDelta(0, "thinking", "hm"), BlockDelta(1, "text", "so"))
    document.set_mode("hide")
    kinds = []
    for step in (1, -1, -1, 1, 1):
        block = document.move_cursor(step)
        kinds.append(block.kind if block else None)
    assert kinds == ["text", "question", "question", "text", "text"]


def test_removing_the_block_under_the_cursor_moves_it_to_the_one_before() -> None:
    document = begun()
    note = document.add_note("info", "x")
    document.cursor = note
    document.remove_note(note)
    assert document.cursor == document.blocks[0].id


def test_unknown_notes_are_left_alone() -> None:
    document = begun()
    document.update_note(99, "x")
    document.remove_note(99)
    assert shape(document) == [("question", "Why?")]
