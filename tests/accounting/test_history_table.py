"""The turns of a conversation as numbers, and out of the program."""

from __future__ import annotations

import csv
import io
import json

import pytest
from vllm_tui.accounting.figures import Figure
from vllm_tui.accounting.history_table import TurnRow, conversation_table, table_csv, table_json
from vllm_tui.accounting.meter import conversation_figures, turn_figures
from vllm_tui.domain.blocks import TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import Round, Timing, Turn
from vllm_tui.domain.usage import Usage

CALL = ToolCallBlock(id="c", name="f", input={}, raw_arguments="{}")
RESULT = Message(role="tool", tool_call_id="c", content=(ToolResultBlock(tool_call_id="c", output="x" * 40),))
ROUNDS = Turn(
    id="1",
    conversation_id="k",
    question=Message(role="user", content="=SUM(A1)"),
    model="m",
    effort="high",
    status="completed",
    rounds=(
        Round(
            answer=Message(role="assistant", content=(ThinkingBlock(thinking="Hm"), CALL)),
            tool_results=(RESULT,),
            usage=Usage(input_tokens=100, output_tokens=20, reasoning_tokens=12, cache_read_tokens=64),
            timing=Timing(first_token=0.5, elapsed=2.5),
        ),
        Round(
            answer=Message(role="assistant", content=(TextBlock(text="Done."),)),
            usage=Usage(input_tokens=140, output_tokens=10, reasoning_tokens=0, cache_read_tokens=128),
            timing=Timing(first_token=0.25, first_answer=0.25, elapsed=1.25),
        ),
    ),
)
CUT = Turn(
    id="2",
    conversation_id="k",
    question=Message(role="user", content="Two"),
    status="interrupted",
    rounds=(Round(answer=Message(role="assistant", content="four" * 3)),),
)
UNANSWERED = Turn(id="3", conversation_id="k", question=Message(role="user", content="Three"), status="failed")


def test_rounds_of_a_stored_turn_add_up() -> None:
    figures = turn_figures(ROUNDS, window=1000)
    assert (figures.input.value, figures.cached.value, figures.output.value, figures.total.value) == (240, 192, 30, 270)
    assert (figures.context_used.value, figures.context_share) == (150, 0.15)
    assert (figures.reasoning.value, figures.tool_calls.value, figures.answer.value) == (12, 8, 10)
    assert figures.tool_results == Figure(10, "estimate", "From the number of characters.")
    assert (figures.ttft.value, figures.first_answer.value, figures.elapsed.value) == (0.5, 2.75, 3.75)
    assert figures.mean_tokens_per_second.value == 10


def test_a_turn_without_usage_is_estimated_and_its_input_unknown() -> None:
    figures = turn_figures(CUT)
    assert (figures.answer.value, figures.answer.mark, figures.input.is_known) == (3, "○", False)


def test_a_conversation_counts_what_is_known() -> None:
    figures = conversation_figures([ROUNDS, CUT, UNANSWERED])
    assert (figures.turns, figures.unknown_turns) == (3, 2)
    assert (figures.output.value, figures.output.mark) == (33, "○")
    assert (figures.input.value, figures.input.mark) == (240, "●")


def test_the_table_has_a_row_for_each_turn() -> None:
    rows = conversation_table([ROUNDS, CUT])
    assert rows[0] == TurnRow(
        number=1,
        question="=SUM(A1)",
        model="m",
        effort="high",
        status="completed",
        source="server",
        input=240,
        cached=192,
        reasoning=12,
        answer=10,
        tool_calls=8,
        tool_results=10,
        total=270,
        ttft=0.5,
        first_answer=2.75,
        elapsed=3.75,
        tokens_per_second=10.0,
    )
    assert (rows[1].number, rows[1].status, rows[1].input, rows[1].answer) == (2, "interrupted", None, 3)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1"])
def test_a_spreadsheet_runs_nothing_of_the_csv(text: str) -> None:
    turn = ROUNDS.model_copy(update={"question": Message(role="user", content=text)})
    read = list(csv.DictReader(io.StringIO(table_csv(conversation_table([turn])), newline="")))
    assert read[0]["question"] == f"'{text}"


def test_csv_keeps_text_and_numbers() -> None:
    turn = ROUNDS.model_copy(update={"question": Message(role="user", content='Say "a,b"\nplease')})
    read = list(csv.DictReader(io.StringIO(table_csv(conversation_table([turn, CUT])), newline="")))
    assert (read[0]["question"], read[0]["input"], read[1]["input"]) == ('Say "a,b"\nplease', "240", "")


def test_json_keeps_everything() -> None:
    rows = json.loads(table_json(conversation_table([ROUNDS])))
    assert (rows[0]["question"], rows[0]["input"], rows[0]["ttft"]) == ("=SUM(A1)", 240, 0.5)


def test_the_time_of_a_stored_turn_is_divided_as_far_as_its_times_tell() -> None:
    spans = {span.phase: span.seconds for span in turn_figures(ROUNDS).spans}
    assert spans == {"waiting": 0.75, "reasoning": 2.0, "answering": 1.0}
    assert turn_figures(CUT).spans == ()


def test_a_stored_input_that_fills_the_window_may_have_been_cut() -> None:
    assert "may have cut" in turn_figures(ROUNDS, window=141).input_cut
    assert turn_figures(ROUNDS, window=142).input_cut == ""
    assert turn_figures(ROUNDS).input_cut == ""
