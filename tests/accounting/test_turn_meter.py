"""A turn is counted while it runs, and the server's numbers win."""

from __future__ import annotations

import subprocess
import sys

import pytest
from vllm_tui.accounting.figures import UNKNOWN, Figure, Part, Span, conversation_of
from vllm_tui.accounting.meter import TurnMeter
from vllm_tui.accounting.split import NOT_ZERO, Calibration
from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import ServerError
from vllm_tui.domain.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    PromptCounted,
    ResponseFinished,
    RetryScheduled,
)
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.usage import Usage

SERVER = Usage(input_tokens=100, output_tokens=30, total_tokens=130, reasoning_tokens=10, cache_read_tokens=64)


HARMONY_CALL = Usage(
    input_tokens=206, output_tokens=38, reasoning_tokens=19, input_tokens_per_turn=(206,), output_tokens_per_turn=(38,)
)
"""A recorded call of gpt-oss: 6 tokens of thought, 13 of arguments, the rest is markers."""


def stream(meter: TurnMeter, kind: BlockKind, count: int, start: float, *, index: int = 0, step: float = 0.1) -> float:
    meter.observe(BlockStarted(index, kind), start)
    for number in range(count):
        meter.observe(BlockDelta(index, kind, "word "), start + number * step)
    return start + count * step


def finished(usage: Usage | None, *content: Block, **metadata: float) -> ResponseFinished:
    return ResponseFinished(
        ChatResponse(content=content, usage=usage, metadata={"vllm:metrics": {**metadata}} if metadata else {})
    )


def test_deltas_are_counted_as_estimates_while_they_stream() -> None:
    meter = TurnMeter(4096)
    meter.request_started(10.0)
    stream(meter, "thinking", 8, 10.5)
    stream(meter, "text", 4, 11.5, index=1)
    figures = meter.figures(12.0)
    assert [(f.value, f.mark) for f in (figures.reasoning, figures.answer, figures.output)] == [
        (8, "○"),
        (4, "○"),
        (12, "○"),
    ]
    assert (figures.input, figures.total) == (UNKNOWN, UNKNOWN)
    assert (figures.ttft.value, figures.first_answer.value, figures.elapsed.value) == (0.5, 1.5, 2.0)
    assert figures.phase == "answering"
    assert figures.spans == (Span("waiting", 0.5), Span("reasoning", 1.0), Span("answering", 0.5))


def test_the_servers_usage_wins_at_the_end() -> None:
    meter = TurnMeter(1000)
    meter.request_started(0.0)
    stream(meter, "thinking", 8, 0.5)
    stream(meter, "text", 15, 1.5, index=1)
    meter.observe(finished(SERVER), 3.0)
    figures = meter.figures(9.0)
    named = {
        name: (getattr(figures, name).value, getattr(figures, name).mark)
        for name in ("input", "cached", "output", "reasoning", "answer", "tool_calls", "total", "context_used")
    }
    assert named == {
        "input": (100, "●"),
        "cached": (64, "●"),
        "output": (30, "●"),
        "reasoning": (10, "●"),
        "answer": (20, "●"),
        "tool_calls": (0, "●"),
        "total": (130, "●"),
        "context_used": (130, "●"),
    }
    assert figures.context_share == 0.13
    assert (figures.elapsed.value, figures.phase) == (3.0, "finished"), "the clock stops with the answer"
    assert figures.mean_tokens_per_second == Figure(
        30 / 2.5, "server", "Output tokens by the seconds from the first token to the end of each answer."
    )


def test_zeros_of_a_server_that_sent_text_are_missing() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "text", 5, 1.0)
    meter.observe(finished(Usage(input_tokens=0, output_tokens=0, total_tokens=0)), 2.0)
    figures = meter.figures(2.0)
    assert (figures.output.value, figures.output.mark) == (5, "○")
    assert NOT_ZERO in figures.output.explanation
    assert figures.input == Figure(None, None, NOT_ZERO)
    assert figures.cached == UNKNOWN


def test_no_usage_is_unknown_and_the_prompt_counted_before_is_kept() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(PromptCounted(70, "computed", 100, parts=(("question", 70),), note="Harmony."), 0.0)
    stream(meter, "text", 5, 1.0)
    figures = meter.figures(2.0)
    assert (figures.input.value, figures.input.mark) == (70, "◐")
    assert (figures.total.value, figures.total.mark) == (75, "○"), "a sum is as weak as its weakest part"
    assert figures.input_parts == (Part("question", 70),)


def test_two_sources_that_disagree_are_both_kept() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(PromptCounted(90, "computed", 100, note="Rendered here."), 0.0)
    meter.observe(finished(SERVER, TextBlock(text="Hi")), 1.0)
    figure = meter.figures(1.0).input
    assert figure.other == Figure(90, "computed", "Counted before the request left. Rendered here.")
    assert figure.explanation == (
        "Reported by the server. Another source says 90 ◐. Counted before the request left. Rendered here."
    )


def test_an_estimate_that_misses_is_no_disagreement() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(PromptCounted(90, "estimate", 100), 0.0)
    meter.observe(finished(SERVER, TextBlock(text="Hi")), 1.0)
    assert meter.figures(1.0).input == Figure(100, "server")


def test_a_total_that_is_no_sum_is_shown_with_the_servers_own() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(finished(SERVER.model_copy(update={"total_tokens": 999}), TextBlock(text="Hi")), 1.0)
    total = meter.figures(1.0).total
    assert (total.value, total.other and total.other.value) == (130, 999)


def test_tool_rounds_add_up_and_the_context_is_that_of_the_last() -> None:
    meter = TurnMeter(10_000)
    meter.request_started(0.0)
    stream(meter, "tool_call", 6, 1.0)
    meter.observe(finished(Usage(input_tokens=100, output_tokens=10, reasoning_tokens=0)), 2.0)
    meter.tool_started(2.0)
    meter.tool_finished("x" * 40, 5.0)
    meter.request_started(5.0)
    stream(meter, "text", 4, 5.5)
    meter.observe(finished(Usage(input_tokens=130, output_tokens=5, reasoning_tokens=0)), 6.0)
    figures = meter.figures(7.0)
    assert (figures.input.value, figures.output.value, figures.total.value) == (230, 15, 245)
    assert (figures.context_used.value, figures.requests) == (135, 2)
    assert (figures.tool_calls.value, figures.answer.value) == (10, 5)
    assert figures.tool_results == Figure(11, "estimate", "From the number of characters.")
    assert figures.spans == (Span("waiting", 1.5), Span("calling", 1.0), Span("tools", 3.0), Span("answering", 0.5))
    assert figures.ttft.value == 1.0, "that of the first request"
    assert figures.first_answer.value == 5.5, "from the question on"


def test_the_servers_own_rounds_give_the_context_of_the_last() -> None:
    usage = Usage(
        input_tokens=272,
        output_tokens=45,
        tool_output_tokens=15,
        input_tokens_per_turn=(116, 156),
        output_tokens_per_turn=(25, 20),
    )
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(finished(usage, TextBlock(text="It is 42.")), 1.0)
    figures = meter.figures(1.0)
    assert (figures.input.value, figures.total.value, figures.context_used.value) == (272, 317, 176)
    assert figures.tool_results == Figure(15, "server")


def test_calls_of_harmony_models_are_taken_out_of_reasoning() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "thinking", 6, 0.1)
    stream(meter, "tool_call", 13, 1.0, index=1)
    meter.observe(finished(HARMONY_CALL), 3.0)
    figures = meter.figures(3.0)
    assert [(f.value, f.mark) for f in (figures.reasoning, figures.tool_calls, figures.output)] == [
        (6, "○"),
        (32, "○"),
        (38, "●"),
    ]


def test_reasoning_reported_as_zero_is_shared_out_by_length() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "thinking", 10, 0.1)
    stream(meter, "text", 30, 2.0, index=1)
    meter.observe(finished(Usage(input_tokens=9, output_tokens=44, reasoning_tokens=0)), 6.0)
    figures = meter.figures(6.0)
    assert [(f.value, f.mark) for f in (figures.reasoning, figures.answer, figures.output)] == [
        (11, "○"),
        (33, "○"),
        (44, "●"),
    ]


def test_text_that_came_in_no_delta_is_counted_by_its_length() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    call = ToolCallBlock(id="c", name="f", input={}, raw_arguments="x" * 80)
    meter.observe(BlockFinished(0, call), 1.0)
    assert meter.figures(1.0).tool_calls == Figure(20, "estimate", "From the number of characters.")


def test_a_block_that_is_taken_back_is_not_counted() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "text", 5, 1.0)
    meter.observe(BlockFinished(0, None), 2.0)
    assert meter.figures(2.0).output.value == 0


def test_what_the_model_showed_calibrates_the_next_turn() -> None:
    first = TurnMeter()
    first.request_started(0.0)
    stream(first, "text", 100, 1.0, step=0.01)
    first.observe(finished(Usage(input_tokens=5, output_tokens=200, reasoning_tokens=0)), 3.0)
    assert first.calibration == Calibration(1 + 200 / 232, 4 - 1.5 * 200 / 232, 200)
    second = TurnMeter(calibration=first.calibration)
    second.request_started(0.0)
    stream(second, "text", 10, 1.0)
    assert second.figures(2.0).answer.value == 19


def test_a_short_answer_teaches_nothing() -> None:
    assert Calibration().learned(3, 10, 5) == Calibration()


def test_a_retry_is_a_phase_of_its_own() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(RetryScheduled(1, 3, 2.0, ServerError("busy")), 1.0)
    stream(meter, "text", 2, 4.0)
    figures = meter.figures(5.0)
    assert figures.spans == (Span("waiting", 1.0), Span("retrying", 3.0), Span("answering", 1.0))


def test_the_speed_of_the_moment_looks_at_the_last_two_seconds() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "text", 20, 1.0, step=1.0)
    for number in range(200):
        meter.observe(BlockDelta(0, "text", "a"), 21.0 + number * 0.01)
    speed = meter.figures(23.0).tokens_per_second
    assert speed.value == pytest.approx(100, rel=0.06)
    assert speed.mark == "○"
    meter.turn_finished(23.0)
    assert meter.figures(99.0).tokens_per_second == UNKNOWN


def test_a_stalled_stream_falls_to_nothing() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "text", 50, 1.0, step=0.01)
    speeds = [meter.figures(at).tokens_per_second.value or 0 for at in (1.6, 3.0, 60.0)]
    assert speeds[0] > 50 > speeds[1] > speeds[2]
    assert speeds[2] == 0


def test_the_servers_own_time_stands_beside_ours() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "text", 2, 0.5)
    meter.observe(finished(SERVER, time_to_first_token_ms=420.0), 1.0)
    ttft = meter.figures(1.0).ttft
    assert (ttft.value, ttft.other) == (0.5, Figure(0.42, "server", "The rest is network and client."))


def test_the_servers_own_times_tell_its_share_from_the_networks() -> None:
    meter = TurnMeter()
    for start in (0.0, 2.0):
        meter.request_started(start)
        stream(meter, "text", 2, start + 0.5)
        times = {"time_to_first_token_ms": 400.0, "generation_time_ms": 300.0, "queue_time_ms": 50.0}
        meter.observe(finished(SERVER, **times), start + 1.0)
    figures = meter.figures(3.0)
    assert figures.server_time.value == pytest.approx(1.4)
    assert figures.network_time.value == pytest.approx(0.6)
    assert figures.queue_time.value == pytest.approx(0.1)
    assert (figures.server_time.mark, figures.network_time.mark) == ("●", "◐")
    assert "network" in figures.network_time.explanation


@pytest.mark.parametrize("metrics", [{"generation_time_ms": 5.0}, {"time_to_first_token_ms": True}])
def test_metrics_that_say_too_little_tell_no_share(metrics: dict[str, float]) -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    stream(meter, "text", 2, 0.5)
    meter.observe(finished(SERVER, **metrics), 1.0)
    assert meter.figures(1.0).server_time == UNKNOWN


def test_the_parts_of_all_requests_of_a_turn_add_up_to_its_input() -> None:
    meter = TurnMeter()
    for tokens in (30, 70):
        meter.request_started(0.0)
        meter.prompt_counted(Figure(tokens + 20, "computed"), (Part("tools", 20), Part("question", tokens)))
    figures = meter.figures(1.0)
    assert figures.input_parts == (Part("tools", 40), Part("question", 100))
    assert sum(part.tokens for part in figures.input_parts) == figures.input.value
    assert figures.parts_source == "computed"


def test_a_request_counted_again_is_counted_once() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.prompt_counted(Figure(20, "estimate"), (Part("tools", 20),))
    meter.prompt_counted(Figure(25, "computed"), (Part("tools", 25),))
    assert meter.figures(1.0).input_parts == (Part("tools", 25),)


def test_the_requests_of_a_continued_answer_add_up_to_its_usage() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(PromptCounted(75, "computed", 200, 4096, (("question", 75),)), 0.0)
    meter.observe(PromptCounted(180, "computed", 100, 4096, (("question", 75), ("history", 105)), "", True), 1.0)
    meter.observe(finished(Usage(input_tokens=255, output_tokens=9)), 2.0)
    figures = meter.figures(2.0)
    assert (figures.input.value, figures.input.other) == (255, None)
    assert figures.input_parts == (Part("question", 150), Part("history", 105))
    assert figures.output_reserved.value == 100


def test_an_input_that_the_server_cut_is_marked_and_both_counts_are_kept() -> None:
    meter = TurnMeter(4096)
    meter.request_started(0.0)
    meter.prompt_counted(Figure(5000, "computed"))
    stream(meter, "text", 1, 0.5)
    meter.observe(finished(Usage(input_tokens=4095, output_tokens=1)), 1.0)
    figures = meter.figures(1.0)
    assert figures.input_cut == "The input was cut by the server: 5,000 tokens were sent, 4,095 reached the model."
    assert figures.input.other is not None
    assert (figures.input.value, figures.input.other.value) == (4095, 5000)


def test_an_input_that_fits_is_not_called_cut() -> None:
    meter = TurnMeter(4096)
    meter.request_started(0.0)
    meter.prompt_counted(Figure(110, "computed"))
    meter.observe(finished(SERVER), 1.0)
    assert meter.figures(1.0).input_cut == ""


def test_a_counted_prompt_brings_input_window_and_reserve() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(PromptCounted(3000, "estimate", 512, 4096), 0.1)
    figures = meter.figures(0.2)
    assert [f.value for f in (figures.input, figures.context_window, figures.output_reserved)] == [3000, 4096, 512]
    assert figures.input.mark == "○"


def test_with_a_vocabulary_text_is_counted_and_not_deltas() -> None:
    meter = TurnMeter(encode=lambda text: [ord(letter) for letter in text])
    meter.request_started(0.0)
    meter.tool_started(0.0)
    meter.tool_finished("four", 1.0)
    meter.observe(BlockDelta(0, "text", "several tokens "), 2.0)
    meter.observe(BlockDelta(0, "text", "at once"), 2.1)
    figures = meter.figures(2.2)
    assert figures.tool_results == Figure(4, "computed", "Counted with the model's vocabulary.")
    assert figures.answer == Figure(
        22, "estimate", "Text counted with the model's vocabulary, without the markers around it."
    )


def test_reasoning_alone_is_all_reasoning() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(finished(Usage(input_tokens=9, output_tokens=12), ThinkingBlock(thinking="Hm")), 1.0)
    figures = meter.figures(1.0)
    assert (figures.reasoning, figures.answer) == (Figure(12, "server"), Figure(0, "server"))


def test_a_conversation_sums_turns_and_names_the_weakest_source() -> None:
    meter = TurnMeter()
    meter.request_started(0.0)
    meter.observe(finished(SERVER, TextBlock(text="Hi")), 1.0)
    whole = meter.figures(1.0)
    running = TurnMeter()
    running.request_started(0.0)
    stream(running, "text", 3, 0.0)
    both = conversation_of([whole]).plus(running.figures(1.0))
    assert (both.output.value, both.output.mark, both.turns, both.unknown_turns) == (33, "○", 2, 1)
    assert (both.input.value, both.input.mark, both.source) == (100, "●", "estimate")
    assert both.elapsed.value == 2.0


def test_the_screen_can_load_it_without_pydantic() -> None:
    code = "import sys, vllm_tui.accounting.meter; print([n for n in ('pydantic', 'tiktoken') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
