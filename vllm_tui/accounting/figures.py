"""Numbers with their source: what is shown of one turn and of a conversation. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

FigureSource = Literal["server", "computed", "estimate"]
"""Reported by the server, computed exactly on this side, or estimated."""

Phase = Literal["idle", "waiting", "retrying", "reasoning", "calling", "answering", "tools", "deciding", "finished"]
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
            parts += [f"Another source says {_number(self.other.value)} {self.other.mark}.", self.other.note]
        return " ".join(part for part in parts if part)

    def beside(self, other: Figure) -> Figure:
        """Return this figure with `other` kept next to it where both are known and differ."""
        if other.value is None or self.value is None or other.value == self.value:
            return self
        return Figure(self.value, self.source, self.note, Figure(other.value, other.source, other.note))


UNKNOWN = Figure()


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{round(value, 3):,}"


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
    input of the requests that were counted before they left; `parts_source` says how. `spans` says where the time
    went; `server_time` and `queue_time` are the server's own words on it, `network_time` what lies between them and
    what was measured here. `input_cut` is a sentence where the server left out a part of the input.
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
    server_time: Figure = UNKNOWN
    queue_time: Figure = UNKNOWN
    network_time: Figure = UNKNOWN
    phase: Phase = "idle"
    requests: int = 0
    input_parts: tuple[Part, ...] = ()
    parts_source: FigureSource | None = None
    spans: tuple[Span, ...] = ()
    input_cut: str = ""

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

    `unknown_turns` counts turns with no figure at all; they are missing from the sums. `input_parts` is empty unless
    the input of every turn was split.
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
    input_parts: tuple[Part, ...] = ()
    parts_source: FigureSource | None = None
    parts: tuple[TurnFigures, ...] = field(default=(), repr=False)

    @property
    def source(self) -> FigureSource | None:
        """Return the weakest source of the sums that are known."""
        return weakest((self.input, self.output))

    def plus(self, turn: TurnFigures) -> ConversationFigures:
        """Return these figures with one more turn, such as the one that runs; costs the same however many there are."""
        note = f"Sum over {self.turns + 1} turns."
        sums = {name: total_of((getattr(self, name), getattr(turn, name)), note) for name in _SUMMED}
        split = join_parts(self.input_parts, turn.input_parts) if self.input_parts or not self.turns else ()
        sources = [source for source in (self.parts_source, turn.parts_source) if source is not None]
        return ConversationFigures(
            **sums,
            turns=self.turns + 1,
            unknown_turns=self.unknown_turns + (turn.total.value is None),
            input_parts=split if turn.input_parts else (),
            parts_source=min(sources, key=lambda source: _STRENGTH[source]) if sources else None,
            parts=(*self.parts, turn),
        )


_SUMMED = (
    "input", "cached", "cache_write", "output", "reasoning", "answer", "tool_calls", "tool_results", "total", "elapsed",
)  # fmt: skip
_ADDED = (*_SUMMED, "server_time", "queue_time", "network_time")


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


def settled_parts(parts: tuple[Part, ...], source: FigureSource | None, reported: int | None) -> tuple[Part, ...]:
    """Return an input's split once the server reported its size: what an estimate missed is the template's share.

    Exact splits stay as they are; one that was estimated too large shrinks in proportion.
    """
    whole = sum(part.tokens for part in parts)
    if source != "estimate" or not reported or not whole:
        return parts
    if whole <= reported:
        return join_parts((Part("system", reported - whole),), parts) if whole < reported else parts
    shrunk = [Part(part.name, part.tokens * reported // whole) for part in parts]
    return join_parts((Part("system", reported - sum(part.tokens for part in shrunk)),), shrunk)


def join_parts(*splits: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts of several inputs as one split: the same name once, in the order of first sight."""
    tokens: dict[str, int] = {}
    for split in splits:
        for part in split:
            tokens[part.name] = tokens.get(part.name, 0) + part.tokens
    return tuple(Part(name, count) for name, count in tokens.items())


def join_spans(*splits: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans of several stretches of time as one: each phase once."""
    spent: dict[Phase, float] = {}
    for split in splits:
        for span in split:
            spent[span.phase] = spent.get(span.phase, 0.0) + span.seconds
    return tuple(Span(phase, seconds) for phase, seconds in spent.items())


def conversation_of(turns: Iterable[TurnFigures]) -> ConversationFigures:
    """Return the sums over `turns`."""
    figures = ConversationFigures()
    for turn in turns:
        figures = figures.plus(turn)
    return figures


def resumed(before: TurnFigures, after: TurnFigures) -> TurnFigures:
    """Return the figures of a turn that went on after it was cut: sums; times to the first token are those before."""
    sums = {name: total_of((getattr(before, name), getattr(after, name))) for name in _ADDED}
    busy = [turn.output.value / rate for turn in (before, after)
            if turn.output.value and (rate := turn.mean_tokens_per_second.value)]  # fmt: skip
    mean = sums["output"].value / sum(busy) if sums["output"].value and busy else None
    return replace(
        after,
        **sums,  # type: ignore[arg-type]
        ttft=before.ttft if before.ttft.is_known else after.ttft,
        first_answer=before.first_answer if before.first_answer.is_known else after.first_answer,
        mean_tokens_per_second=UNKNOWN if mean is None else replace(after.mean_tokens_per_second, value=mean),
        requests=before.requests + after.requests,
        input_parts=join_parts(before.input_parts, after.input_parts),
        parts_source=after.parts_source or before.parts_source,
        spans=join_spans(before.spans, after.spans),
        input_cut=after.input_cut or before.input_cut,
    )
