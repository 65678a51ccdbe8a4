"""Figures of turns that are over, from what was kept of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import (
    UNKNOWN,
    ConversationFigures,
    Figure,
    FigureSource,
    Part,
    Phase,
    Span,
    TurnFigures,
    conversation_of,
    join_parts,
    join_spans,
    settled_parts,
    total_of,
    weakest,
)
from vllm_tui.accounting.split import Calibration, RequestFigures, Seen, split_request
from vllm_tui.accounting.turn_clock import TurnClock
from vllm_tui.domain.window import is_input_cut

if TYPE_CHECKING:
    from vllm_tui.domain.messages import Message
    from vllm_tui.domain.turns import Round, Turn

_MEASURED = "Measured here."
_BY_LENGTH = "From the number of characters."


def conversation_figures(turns: Iterable[Turn]) -> ConversationFigures:
    """Return the sums over stored turns."""
    return conversation_of(turn_figures(turn) for turn in turns)


def turn_figures(turn: Turn, window: int | None = None) -> TurnFigures:
    """Return the figures of a stored turn, for a model with a context window of `window` tokens."""
    requests = [_request_figures(entry) for entry in turn.rounds]
    output = total_of(request.output for request in requests)
    served, queued, around = _server_times(turn)
    return TurnFigures(
        input=total_of(request.input for request in requests),
        cached=total_of(request.cached for request in requests),
        cache_write=total_of(request.cache_write for request in requests),
        output=output,
        reasoning=total_of(request.reasoning for request in requests),
        answer=total_of(request.answer for request in requests),
        tool_calls=total_of(request.tool_calls for request in requests),
        tool_results=_tool_results(turn, requests),
        total=total_of(request.total for request in requests),
        context_used=requests[-1].context if requests else UNKNOWN,
        context_window=UNKNOWN if window is None else Figure(window, "server", "The model's own window."),
        ttft=_seconds(turn.rounds[0].timing.first_token if turn.rounds else None),
        first_answer=_first_answer(turn),
        elapsed=total_of(_seconds(entry.timing.elapsed) for entry in turn.rounds),
        mean_tokens_per_second=_mean_speed(turn, output),
        phase="finished" if turn.status != "running" else "idle",
        requests=len(requests),
        input_parts=_parts(turn),
        parts_source=_parts_source(turn),
        output_reserved=_reserved(turn),
        spans=join_spans(*(_spans(entry) for entry in turn.rounds)),
        input_cut=_cut(turn, window),
        server_time=served,
        queue_time=queued,
        network_time=around,
    )


def _request_figures(entry: Round) -> RequestFigures:
    counts = {"thinking": 0, "text": 0, "tool_call": 0}
    content = entry.answer.content
    if isinstance(content, str):
        counts["text"] = len(content)
    else:
        for block in content:
            match block.type:
                case "text":
                    counts["text"] += len(block.text)
                case "thinking":
                    counts["thinking"] += len(block.thinking)
                case "tool_call":
                    counts["tool_call"] += len(block.name) + len(block.raw_arguments or str(block.input))
                case _:
                    pass
    tokens = {kind: Calibration().tokens_of(count) for kind, count in counts.items()}
    counted = entry.counted
    expected = UNKNOWN if counted is None else Figure(counted.input_tokens, counted.source, counted.note)
    seen = Seen(tokens["thinking"], tokens["text"], tokens["tool_call"], note=_BY_LENGTH)
    return split_request(entry.usage, seen, expected)


def _parts(turn: Turn) -> tuple[Part, ...]:
    """Return the split of all inputs of a turn, as they were counted before they left."""
    splits = [
        settled_parts(
            tuple(Part(name, tokens) for name, tokens in counted.parts),
            counted.source,
            entry.usage.input_tokens if entry.usage else None,
        )
        for entry in turn.rounds
        if (counted := entry.counted) is not None
    ]
    return join_parts(*splits)


def _parts_source(turn: Turn) -> FigureSource | None:
    return weakest(Figure(entry.counted.input_tokens, entry.counted.source) for entry in turn.rounds if entry.counted)


def _reserved(turn: Turn) -> Figure:
    counted = turn.rounds[-1].counted if turn.rounds else None
    if counted is None or counted.output_reserved is None:
        return UNKNOWN
    return Figure(counted.output_reserved, "computed", "Asked for as the longest answer.")


def _tool_results(turn: Turn, requests: list[RequestFigures]) -> Figure:
    reported = [request.tool_results for request in requests if request.tool_results.value]
    local = [
        Figure(Calibration().tokens_of(_length(message)), "estimate", _BY_LENGTH)
        for entry in turn.rounds
        for message in entry.tool_results
    ]
    return total_of((*reported, *local))


def _length(message: Message) -> int:
    if isinstance(message.content, str):
        return len(message.content)
    return sum(len(str(getattr(block, "output", getattr(block, "text", "")))) for block in message.content)


def _seconds(value: float | None) -> Figure:
    return UNKNOWN if value is None else Figure(value, "computed", _MEASURED)


def _first_answer(turn: Turn) -> Figure:
    before = 0.0
    for entry in turn.rounds:
        if entry.timing.first_answer is not None:
            return _seconds(before + entry.timing.first_answer)
        before += entry.timing.elapsed or 0.0
    return UNKNOWN


def _spans(entry: Round) -> tuple[Span, ...]:
    """Return where the time of a round went, as far as its four times tell; tools ran outside of it."""
    timing = entry.timing
    if timing.elapsed is None:
        return ()
    first = timing.elapsed if timing.first_token is None else timing.first_token
    answer = timing.elapsed if timing.first_answer is None else timing.first_answer
    content = entry.answer.content
    has_thoughts = not isinstance(content, str) and any(block.type == "thinking" for block in content)
    between: Phase = "reasoning" if has_thoughts else "calling"
    spans = (Span("waiting", first), Span(between, answer - first), Span("answering", timing.elapsed - answer))
    return tuple(span for span in spans if span.seconds > 0)


def _server_times(turn: Turn) -> tuple[Figure, Figure, Figure]:
    """Return the server's own seconds, those in its queue, and the rest, from the metrics kept with each answer."""
    clock, at = TurnClock(), 0.0
    for entry in turn.rounds:
        clock.request_started(at)
        at += entry.timing.elapsed or 0.0
        clock.take_metrics((entry.answer.metadata or {}).get("vllm:metrics"), at)
    return clock.server_times


def _cut(turn: Turn, window: int | None) -> str:
    """Say that the input was cut, or may have been where nobody had counted it before it left."""
    for entry in turn.rounds:
        reported = entry.usage.input_tokens if entry.usage else None
        counted = entry.counted
        size = counted.context_window if counted is not None and counted.context_window else window
        if counted is not None and counted.source == "computed":
            if is_input_cut(counted.input_tokens, reported, size):
                return f"The input was cut by the server: {counted.input_tokens:,} tokens were sent, {reported:,} read."
        elif reported is not None and size and reported >= size - 1:
            return "The input filled the window: the server may have cut it."
    return ""


def _mean_speed(turn: Turn, output: Figure) -> Figure:
    busy = sum(
        (entry.timing.elapsed or 0.0) - entry.timing.first_token
        for entry in turn.rounds
        if entry.timing.first_token is not None
    )
    if busy <= 0 or not output.value:
        return UNKNOWN
    return Figure(output.value / busy, output.source, "Output tokens by the seconds from first token to end.")
