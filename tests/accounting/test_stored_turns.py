"""Figures of turns that are over come from what was kept with them."""

from __future__ import annotations

import pytest
from vllm_tui.accounting.figures import Part
from vllm_tui.accounting.stored import turn_figures
from vllm_tui.domain.messages import Message
from vllm_tui.domain.turns import PromptCount, Round, Timing, Turn
from vllm_tui.domain.usage import Usage

METRICS = {"time_to_first_token_ms": 400.0, "generation_time_ms": 300.0, "queue_time_ms": 50.0}
COUNTED = PromptCount(
    input_tokens=110,
    source="computed",
    parts=(("tools", 60), ("question", 50)),
    context_window=4096,
    output_reserved=512,
)


def turn(usage: Usage | None, counted: PromptCount | None = COUNTED) -> Turn:
    answer = Message(role="assistant", content="Hi", metadata={"vllm:metrics": {**METRICS}})
    entry = Round(answer=answer, counted=counted, usage=usage, timing=Timing(first_token=0.5, elapsed=1.0))
    return Turn(
        id="t", conversation_id="c", question=Message(role="user", content="?"), rounds=(entry,), status="completed"
    )


def test_a_turn_without_usage_keeps_the_count_from_before_it_left() -> None:
    figures = turn_figures(turn(None))
    assert (figures.input.value, figures.input.mark, figures.output_reserved.value) == (110, "◐", 512)
    assert (figures.input_parts, figures.parts_source) == ((Part("tools", 60), Part("question", 50)), "computed")


def test_a_report_that_differs_is_shown_beside_the_count() -> None:
    figures = turn_figures(turn(Usage(input_tokens=112, output_tokens=2)))
    assert (figures.input.value, figures.input.other and figures.input.other.value) == (112, 110)


def test_a_cut_input_is_known_by_both_counts() -> None:
    counted = COUNTED.model_copy(update={"input_tokens": 5000})
    assert turn_figures(turn(Usage(input_tokens=4095, output_tokens=1), counted)).input_cut.endswith("4,095 read.")


def test_an_input_nobody_counted_may_have_been_cut() -> None:
    assert "may have" in turn_figures(turn(Usage(input_tokens=4095, output_tokens=1), None), 4096).input_cut


def test_the_servers_own_times_are_read_again() -> None:
    figures = turn_figures(turn(Usage(input_tokens=110, output_tokens=2)))
    times = [figures.server_time.value, figures.queue_time.value, figures.network_time.value]
    assert times == [pytest.approx(0.7), pytest.approx(0.05), pytest.approx(0.3)]


def test_the_counts_of_a_continued_answer_are_stored_as_their_sum() -> None:
    first = PromptCount(input_tokens=75, source="computed", parts=(("question", 75),), output_reserved=200)
    more = PromptCount(input_tokens=180, parts=(("question", 75), ("history", 105)), output_reserved=100)
    assert first.plus(more) == PromptCount(
        input_tokens=255, source="estimate", parts=(("question", 150), ("history", 105)), output_reserved=100
    )
