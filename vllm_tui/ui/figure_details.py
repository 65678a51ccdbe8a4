"""The figures of one turn as a list: each with its mark, what a second source says, and how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.content import Content

from vllm_tui.accounting.figures import Figure, TurnFigures
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.figures_text import (
    PHASES,
    Show,
    Swatch,
    count,
    percent,
    seconds,
    speed,
    stacked,
    time_segments,
    token_segments,
)

_LABEL = 23
_LEAST_BAR = 16
_PART_NAMES = {
    "system": "template",
    "opening": "answer's opening",
    "instructions": "instructions",
    "tools": "tools",
    "history": "history",
    "reasoning": "reasoning kept",
    "calls": "calls before",
    "results": "tool results",
    "question": "this question",
}
_PHASE_NOTES = {
    "waiting": "From the request to the first sign of an answer: connection, queue and prefill, which look alike here.",
    "tools": "Tools that ran on this side, between two requests.",
    "deciding": "Calls waited for your word; neither the model nor a tool was at work.",
    "retrying": "Waiting to try again after a failed attempt.",
}
_MISSING = "Not stored with the turn, or the server did not say."
_CHOSEN = (
    ("output", "output", count),
    ("  reasoning", "reasoning", count),
    ("  answer", "answer", count),
    ("  calls", "tool_calls", count),
    ("total", "total", count),
    ("context used", "context_used", count),
    ("context window", "context_window", count),
    ("reserved for output", "output_reserved", count),
    ("first token", "ttft", seconds),
    ("first answer token", "first_answer", seconds),
    ("whole turn", "elapsed", seconds),
)
_LAST = (
    ("server's own time", "server_time", seconds),
    ("  of it in its queue", "queue_time", seconds),
    ("network and client", "network_time", seconds),
    ("speed now", "tokens_per_second", speed),
    ("mean speed", "mean_tokens_per_second", speed),
)


@dataclass(frozen=True, slots=True)
class Detail:
    """One figure of a turn with its name and how it is written."""

    label: str
    figure: Figure
    show: Show = count

    @property
    def text(self) -> str:
        """Return value and mark, and what another source says after ≠; times measured elsewhere just differ."""
        text = f"{self.show(self.figure)} {self.figure.mark}".rstrip()
        other = self.figure.other
        sign = "≠" if self.is_disputed else "·"
        return f"{text} {sign} {self.show(other)} {other.mark}" if other is not None else text

    @property
    def is_disputed(self) -> bool:
        """Return whether two sources disagree on a number that should be one."""
        return self.figure.other is not None and self.show is not seconds

    @property
    def explanation(self) -> str:
        """Return how the figure was obtained."""
        return f"{self.label.strip()}: {self.text}. {self.figure.explanation}"


def turn_details(figures: TurnFigures) -> list[Detail]:
    """Return every figure of a turn, always in the same order."""
    found = [Detail("input", _noted(figures.input, figures.input_cut)), Detail("  from the cache", figures.cached)]
    found += [Detail("  written to the cache", figures.cache_write)] if figures.cache_write.is_known else []
    for part in figures.input_parts:
        note = "The share of this part in the input that was counted before it left."
        label = f"  {_PART_NAMES.get(part.name, part.name)}"
        found.append(Detail(label, Figure(part.tokens, figures.parts_source, note)))
    if not any(part.name == "results" for part in figures.input_parts):
        found.append(Detail("  tool results", figures.tool_results))
    found += [Detail(label, getattr(figures, name), show) for label, name, show in _CHOSEN]
    for span in figures.spans:
        note = _PHASE_NOTES.get(span.phase, "Measured here, from the first to the last token of this kind.")
        label = PHASES[span.phase][0] if span.phase in PHASES else span.phase
        found.append(Detail(f"  {label}", Figure(span.seconds, "computed", note), seconds))
    return found + [Detail(label, getattr(figures, name), show) for label, name, show in _LAST]


def detail_line(detail: Detail, width: int) -> Content:
    """Return one figure and as much of its explanation as fits."""
    known = detail.figure.is_known
    value = Content.styled(detail.text.ljust(26), ("$warning" if detail.is_disputed else "") if known else "$quiet")
    note = detail.figure.note or (detail.figure.explanation if known else "")
    line = Content.assemble(
        (detail.label.ljust(_LABEL), "" if known else "$quiet"), value, (shown_line(note), "$quiet")
    )
    return line.truncate(width, ellipsis=True)


def token_bar(figures: TurnFigures, width: int) -> Content:
    """Return the tokens of a turn as one stacked bar with its legend."""
    names = ("cached", "input", "reasoning", "answer", "calls")
    segments = token_segments(figures)
    legend = [(swatch, f"{name} {value:,.0f}") for name, (value, swatch) in zip(names, segments, strict=True) if value]
    return _bar("tokens", segments, legend, width)


def time_bar(figures: TurnFigures, width: int) -> Content:
    """Return where the time of a turn went as one stacked bar with its legend."""
    segments = time_segments(figures)
    whole = sum(value for value, _ in segments)
    legend = [
        (swatch, f"{label} {percent(value / whole)}")
        for (label, _), (value, swatch) in zip(PHASES.values(), segments, strict=True)
        if value
    ]
    return _bar("time", segments, legend, width)


def _bar(title: str, segments: list[tuple[float, Swatch]], legend: list[tuple[Swatch, str]], width: int) -> Content:
    """Return title, bar and legend; the legend gives up its numbers where they have no room."""
    keys = _legend(legend)
    if keys.cell_length > width - _LEAST_BAR - 10:
        keys = _legend([(swatch, text.split(" ")[0]) for swatch, text in legend])
    room = max(_LEAST_BAR, min(60, width - 10 - keys.cell_length))
    return Content.assemble(title.ljust(8), stacked(segments, room), "  ", keys).truncate(width, ellipsis=True)


def _legend(legend: list[tuple[Swatch, str]]) -> Content:
    return Content("  ").join(
        Content.assemble((swatch.glyph, swatch.style), (f" {text}", "$quiet")) for swatch, text in legend
    )


def _noted(figure: Figure, note: str) -> Figure:
    return replace(figure, note=f"{figure.note} {note}".strip()) if note else figure
