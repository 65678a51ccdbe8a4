"""Figures as text: numbers, bars, the one line of a narrow screen, the line under an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from textual.content import Content

from vllm_tui.accounting.figures import Figure, Phase, TurnFigures

LEGEND = "● server  ◐ computed  ○ estimate"
UNKNOWN_TEXT = "–"
NEARLY_FULL, FULL = 0.8, 0.95
"""Shares of the window from which it is shown as nearly full and as full."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """How one kind of thing looks in a stacked bar: a texture and a colour, as colour alone is not for everyone."""

    glyph: str
    style: str


CACHED, INPUT = Swatch("░", "$quiet"), Swatch("▒", "$foreground")
REASONING, ANSWER, CALLS = Swatch("▓", "$warning"), Swatch("█", "$accent"), Swatch("▚", "$success")
PHASES: dict[Phase, tuple[str, Swatch]] = {
    "waiting": ("wait", Swatch("┄", "$quiet")),
    "retrying": ("retries", Swatch("×", "$error")),
    "reasoning": ("reasoning", REASONING),
    "calling": ("calls", CALLS),
    "tools": ("tools run", Swatch("▞", "$foreground")),
    "deciding": ("you decide", Swatch("?", "$warning")),
    "answering": ("answer", ANSWER),
}
"""The phases of a turn in the order they are shown; `wait` is connection, queue and prefill, which look alike here."""


Show = Callable[[Figure], str]
"""Writes a figure as text."""


def count(figure: Figure) -> str:
    """Return a number of tokens with thousands separated."""
    return UNKNOWN_TEXT if figure.value is None else f"{round(figure.value):,}"


def seconds(figure: Figure) -> str:
    """Return seconds: two decimals below ten, one above; minutes from 100 s on."""
    value = figure.value
    if value is None:
        return UNKNOWN_TEXT
    if value >= 100:
        return f"{int(value // 60)}:{int(value % 60):02d} min"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def speed(figure: Figure) -> str:
    """Return tokens per second."""
    return UNKNOWN_TEXT if figure.value is None else f"{figure.value:.1f} tok/s"


def bar(share: float, width: int) -> str:
    """Return a bar of `width` cells; anything above zero fills at least one."""
    filled = min(width, max(round(share * width), 1 if share > 0 else 0))
    return "▇" * filled + "▁" * (width - filled)


def cells(values: Sequence[float], width: int) -> list[int]:
    """Divide `width` cells by `values`; the cells add up to `width`, and what is above zero gets one where it can."""
    total = sum(values)
    if total <= 0 or width <= 0:
        return [0] * len(values)
    edges, whole = [0], 0.0
    for value in values:
        whole += value
        edges.append(min(width, round(whole / total * width)))
    edges[-1] = width
    found = [end - begin for begin, end in pairwise(edges)]
    for place, value in enumerate(values):
        largest = max(range(len(found)), key=found.__getitem__)
        if value > 0 and not found[place] and found[largest] > 1:
            found[place], found[largest] = 1, found[largest] - 1
    return found


def stacked(segments: Sequence[tuple[float, Swatch]], width: int) -> Content:
    """Return one bar of `width` cells that shows the shares of its segments; a flat line when all are zero."""
    sizes = cells([value for value, _ in segments], width)
    if not any(sizes):
        return Content.styled("▁" * width, "$line")
    return Content.assemble(
        *((swatch.glyph * size, swatch.style) for size, (_, swatch) in zip(sizes, segments, strict=True))
    )


def token_segments(turn: TurnFigures) -> list[tuple[float, Swatch]]:
    """Return the tokens of a turn by kind: input from the cache, other input, reasoning, answer, calls."""
    values = (turn.cached, turn.input, turn.reasoning, turn.answer, turn.tool_calls)
    cached, given, reasoning, answer, calls = (max(0.0, float(figure.value or 0)) for figure in values)
    kinds = (CACHED, INPUT, REASONING, ANSWER, CALLS)
    return list(zip((cached, max(0.0, given - cached), reasoning, answer, calls), kinds, strict=True))


def time_segments(turn: TurnFigures) -> list[tuple[float, Swatch]]:
    """Return the seconds of a turn by phase."""
    spent = {span.phase: span.seconds for span in turn.spans}
    return [(spent.get(phase, 0.0), swatch) for phase, (_, swatch) in PHASES.items()]


def compact(figure: Figure, room: int) -> str:
    """Return a number of tokens in at most `room` columns, shortened to thousands or millions where it must."""
    text = count(figure)
    if len(text) <= room or figure.value is None:
        return text
    return f"{figure.value / 1e3:,.0f} k" if figure.value < 1e6 else f"{figure.value / 1e6:,.1f} M"


def percent(share: float) -> str:
    """Return a share as whole per cent; below one half per cent that is `<1 %`."""
    return "<1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def figures_line(turn: TurnFigures) -> str:
    """Return the figures of a turn on one line, for screens without a sidebar; empty before the first turn."""
    if not turn.requests:
        return ""
    parts = [f"{turn.input.mark or turn.output.mark} {count(turn.input)}→{count(turn.output)}".strip()]
    parts += [f"{rate.value:.0f} tok/s" for rate in (rate_of(turn),) if rate.value is not None]
    parts += [seconds(turn.ttft)] if turn.ttft.is_known else []
    parts += [f"ctx {percent(turn.context_share)}"] if turn.context_share is not None else []
    return " · ".join(parts)


def answer_line(turn: TurnFigures) -> str:
    """Return what a finished turn cost, for the line under its answer; empty when nothing is known."""
    if not turn.input.is_known and not turn.output.value:
        return ""
    mark = turn.output.mark or turn.input.mark
    parts = [f"{mark} {count(turn.input)} in", f"{count(turn.output)} out"]
    parts += [f"{rate.value:.0f} tok/s" for rate in (rate_of(turn),) if rate.value is not None]
    parts += [seconds(turn.elapsed)] if turn.elapsed.is_known else []
    parts += ["input cut by the server"] if turn.input_cut else []
    return " · ".join(parts)


def rate_of(turn: TurnFigures) -> Figure:
    """Return the speed of the moment, the mean one when nothing is written."""
    return turn.tokens_per_second if turn.tokens_per_second.is_known else turn.mean_tokens_per_second
