"""Numbers with their source: what is shown of one turn and of a conversation. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

FigureSource = Literal["server", "computed", "estimate"]
"""Reported by the server, computed exactly on this side, or estimated."""

Phase = Literal["idle", "waiting", "retrying", "reasoning", "calling", "answering", "tools", "finished"]
"""What a turn does now; `waiting` is queue and prefill, `tools` runs calls on this side."""

MARKS: dict[FigureSource, str] = {"server": "●", "computed": "◐", "estimate": "○"}
"""The sign that stands beside a figure; a figure nobody knows has none."""

LEGEND = "● reported by the server  ◐ computed exactly  ○ estimate"

_MEANINGS: dict[FigureSource, str] = {
    "server": "Reported by the server.",
    "computed": "Computed exactly on this side.",
    "estimate": "Estimated.",
}
_STRENGTH: dict[FigureSource | None, int] = {"server": 3, "computed": 2, "estimate": 1, None: 0}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number (None: unknown), where it came from, and in a sentence how.

    `other` is the figure of a second source that disagrees; both are shown.
    """

    value: int | float | None = None
    source: FigureSource | None = None
    note: str = ""
    other: Figure | None = None

    @property
    def mark(self) -> str:
        """Return ●, ◐ or ○; nothing for an unknown figure."""
        return "" if self.source is None or self.value is None else MARKS[self.source]

    @property
    def is_known(self) -> bool:
        """Return whether there is a number."""
        return self.value is not None

    @property
    def explanation(self) -> str:
        """Return how the figure was obtained, the disagreeing source included."""
        if self.source is None or self.value is None:
            return self.note or "Unknown: the server has not said, and nothing here can count it."
        parts = [_MEANINGS[self.source], self.note]
        if self.other is not None and self.other.source is not None:
            parts += [f"Another source says {self.other.value:,} {self.other.mark}.", self.other.note]
        return " ".join(part for part in parts if part)

    def beside(self, other: Figure) -> Figure:
        """Return this figure with `other` kept next to it where both are known and differ."""
        if other.value is None or self.value is None or other.value == self.value:
            return self
        return Figure(self.value, self.source, self.note, Figure(other.value, other.source, other.note))


UNKNOWN = Figure()


@dataclass(frozen=True, slots=True)
class Part:
    """A named share of the input, such as `tools`, in tokens."""

    name: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds a turn spent in one phase, all its requests together."""

    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """What one turn cost. Tokens are sums over its requests; seconds count from its first request.

    `tool_results` are tokens of tool output, a part of `input`. `output` is `reasoning`, `answer` and `tool_calls`
    together with what closes them. `context_used` is the last request's input and output. `input_parts` splits the
    last request's input where it was computed. `spans` says where the time went.
    """

    input: Figure = UNKNOWN
    cached: Figure = UNKNOWN
    cache_write: Figure = UNKNOWN
    output: Figure = UNKNOWN
    reasoning: Figure = UNKNOWN
    answer: Figure = UNKNOWN
    tool_calls: Figure = UNKNOWN
    tool_results: Figure = UNKNOWN
    total: Figure = UNKNOWN
    context_used: Figure = UNKNOWN
    context_window: Figure = UNKNOWN
    output_reserved: Figure = UNKNOWN
    ttft: Figure = UNKNOWN
    first_answer: Figure = UNKNOWN
    elapsed: Figure = UNKNOWN
    tokens_per_second: Figure = UNKNOWN
    mean_tokens_per_second: Figure = UNKNOWN
    phase: Phase = "idle"
    requests: int = 0
    input_parts: tuple[Part, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def context_share(self) -> float | None:
        """Return the used share of the window, 0 to 1 and above; None where either is unknown."""
        used, window = self.context_used.value, self.context_window.value
        return None if used is None or not window else used / window

    @property
    def source(self) -> FigureSource | None:
        """Return the weakest source of the token figures that are known."""
        return weakest((self.input, self.output))


@dataclass(frozen=True, slots=True)
class ConversationFigures:
    """What a conversation cost: sums over its turns. A sum's source is the weakest of its parts.

    `unknown_turns` counts turns with no figure at all; they are missing from the sums.
    """

    input: Figure = UNKNOWN
    cached: Figure = UNKNOWN
    cache_write: Figure = UNKNOWN
    output: Figure = UNKNOWN
    reasoning: Figure = UNKNOWN
    answer: Figure = UNKNOWN
    tool_calls: Figure = UNKNOWN
    tool_results: Figure = UNKNOWN
    total: Figure = UNKNOWN
    elapsed: Figure = UNKNOWN
    turns: int = 0
    unknown_turns: int = 0
    parts: tuple[TurnFigures, ...] = field(default=(), repr=False)

    @property
    def source(self) -> FigureSource | None:
        """Return the weakest source of the sums that are known."""
        return weakest((self.input, self.output))

    def plus(self, turn: TurnFigures) -> ConversationFigures:
        """Return these figures with one more turn, such as the one that runs."""
        return conversation_of((*self.parts, turn))


_SUMMED = (
    "input", "cached", "cache_write", "output", "reasoning", "answer", "tool_calls", "tool_results", "total", "elapsed",
)  # fmt: skip


def weakest(figures: Iterable[Figure]) -> FigureSource | None:
    """Return the weakest source among the known figures; None when none is known."""
    sources = [figure.source for figure in figures if figure.value is not None]
    return min(sources, key=lambda source: _STRENGTH[source]) if sources else None


def total_of(figures: Iterable[Figure], note: str = "") -> Figure:
    """Return the sum of the known figures, named after the weakest source; unknown when none is known."""
    given = tuple(figures)
    known = [figure for figure in given if figure.value is not None]
    if not known:
        return Figure(note=next((figure.note for figure in given if figure.note), ""))
    if len(known) == 1:
        return known[0]
    value = sum(figure.value or 0 for figure in known)
    notes = list(dict.fromkeys(figure.note for figure in known if figure.note))
    result = Figure(value, weakest(known), note or (notes[0] if len(notes) == 1 else f"Sum of {len(known)} figures."))
    others = [figure.other or figure for figure in known]
    if any(figure.other is not None for figure in known):
        return result.beside(Figure(sum(other.value or 0 for other in others), weakest(others)))
    return result


def conversation_of(turns: Iterable[TurnFigures]) -> ConversationFigures:
    """Return the sums over `turns`."""
    parts = tuple(turns)
    sums = {
        name: total_of((getattr(part, name) for part in parts), f"Sum over {len(parts)} turns.") for name in _SUMMED
    }
    unknown = sum(part.total.value is None for part in parts)
    return ConversationFigures(**sums, turns=len(parts), unknown_turns=unknown, parts=parts)
