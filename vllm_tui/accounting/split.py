"""One request's tokens by kind: the server's usage where it has one, what was seen where it has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import UNKNOWN, Figure, FigureSource

if TYPE_CHECKING:
    from vllm_tui.domain.usage import Usage

NOT_ZERO = "The server reported 0 although text came, so its number is not used."
_MINUS = "Output minus reasoning, as reported."
_CALLS_INSIDE = "The server counts calls of this model as reasoning; divided by length."
_SCALED = "The reported output, divided by the lengths of its parts."


@dataclass(frozen=True, slots=True)
class Calibration:
    """What this model showed before: tokens per delta of a stream, and characters per token."""

    tokens_per_delta: float = 1.0
    characters_per_token: float = 4.0
    learned_tokens: int = 0

    def learned(self, deltas: int, characters: int, tokens: int) -> Calibration:
        """Return this with one answer of known `tokens` taken in; short answers weigh little."""
        if tokens < 8 or characters <= 0:
            return self
        weight = tokens / (tokens + 32 + min(self.learned_tokens, 2_000))
        per_delta = self.tokens_per_delta + weight * (tokens / deltas - self.tokens_per_delta) if deltas > 1 else None
        per_token = self.characters_per_token + weight * (characters / tokens - self.characters_per_token)
        return Calibration(per_delta or self.tokens_per_delta, per_token, self.learned_tokens + tokens)

    def tokens_of(self, characters: int) -> int:
        """Return the estimated tokens of so many characters; at least 1 for any text."""
        return max(1, round(characters / self.characters_per_token)) if characters else 0


@dataclass(frozen=True, slots=True)
class Seen:
    """Tokens of what one request showed, by kind, as far as known without its usage."""

    reasoning: int = 0
    answer: int = 0
    tool_calls: int = 0
    source: FigureSource = "estimate"
    note: str = "One token for each delta."

    @property
    def total(self) -> int:
        """Return the tokens of all kinds."""
        return self.reasoning + self.answer + self.tool_calls

    def figure(self, tokens: int) -> Figure:
        """Return `tokens` with this source."""
        return Figure(tokens, self.source, self.note)


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """The figures of one request; `context` is what the next one starts from, in tokens."""

    input: Figure = UNKNOWN
    cached: Figure = UNKNOWN
    cache_write: Figure = UNKNOWN
    output: Figure = UNKNOWN
    reasoning: Figure = UNKNOWN
    answer: Figure = UNKNOWN
    tool_calls: Figure = UNKNOWN
    tool_results: Figure = UNKNOWN
    total: Figure = UNKNOWN
    context: Figure = UNKNOWN


def split_request(usage: Usage | None, seen: Seen, expected_input: Figure = UNKNOWN) -> RequestFigures:
    """Return the figures of a request from its usage, what it showed, and the input counted before it left."""
    missing = usage is None or _is_missing(usage, seen)
    note = NOT_ZERO if missing and usage is not None else ""
    prompt = _input(None if missing else usage, expected_input, note)
    output = _output(None if missing else usage, seen, note)
    reasoning, answer, calls = _kinds(None if missing else usage, seen, output, note)
    total = _total(None if missing else usage, prompt, output)
    reported = None if missing else usage
    return RequestFigures(
        input=prompt,
        cached=_detail(reported, "cache_read_tokens"),
        cache_write=_detail(reported, "cache_write_tokens"),
        output=output,
        reasoning=reasoning,
        answer=answer,
        tool_calls=calls,
        tool_results=_detail(reported, "tool_output_tokens"),
        total=total,
        context=_context(reported, total),
    )


def _is_missing(usage: Usage, seen: Seen) -> bool:
    return not usage.input_tokens and not usage.output_tokens and seen.total > 0


def _detail(usage: Usage | None, name: str) -> Figure:
    value: int | None = None if usage is None else getattr(usage, name)
    return UNKNOWN if usage is None or value is None else Figure(value, usage.source)


def _input(usage: Usage | None, expected: Figure, note: str) -> Figure:
    if usage is None or not usage.input_tokens:
        reason = note or (NOT_ZERO if usage is not None and usage.input_tokens == 0 else "")
        return Figure(expected.value, expected.source, _join(expected.note, reason))
    reported = Figure(usage.input_tokens, usage.source)
    # An estimate that misses is no disagreement; an exact count that misses is.
    return reported.beside(expected) if expected.source != "estimate" else reported


def _output(usage: Usage | None, seen: Seen, note: str) -> Figure:
    if usage is None or usage.output_tokens is None or (usage.output_tokens == 0 and seen.total):
        zero = NOT_ZERO if usage is not None and usage.output_tokens == 0 else ""
        return Figure(seen.total, seen.source, _join(seen.note, note or zero))
    return Figure(usage.output_tokens, usage.source)


def _kinds(usage: Usage | None, seen: Seen, output: Figure, note: str) -> tuple[Figure, Figure, Figure]:
    if usage is None or output.source == seen.source != usage.source or output.value is None:
        figures = [seen.figure(tokens) for tokens in (seen.reasoning, seen.answer, seen.tool_calls)]
        first, second, third = (Figure(item.value, item.source, _join(item.note, note)) for item in figures)
        return first, second, third
    tokens, reasoning = int(output.value), usage.reasoning_tokens
    if reasoning is None or reasoning > tokens or (reasoning == 0 and seen.reasoning):
        return _shares(tokens, seen, usage.source)
    # Only Harmony models have counts per round (vLLM 0.20 and later).
    return _around_reasoning(tokens, reasoning, seen, usage.source, is_harmony=bool(usage.input_tokens_per_turn))


def _around_reasoning(
    tokens: int, reasoning: int, seen: Seen, source: FigureSource, *, is_harmony: bool
) -> tuple[Figure, Figure, Figure]:
    rest = tokens - reasoning
    known = Figure(reasoning, source)
    if not seen.tool_calls:
        return known, Figure(rest, source, _MINUS), Figure(0, source)
    if is_harmony:
        return _calls_in_reasoning(reasoning, rest, seen, source)
    if not seen.answer:
        return known, Figure(0, source), Figure(rest, source, _MINUS)
    calls = round(rest * seen.tool_calls / (seen.answer + seen.tool_calls))
    return known, Figure(rest - calls, "estimate", _SCALED), Figure(calls, "estimate", _SCALED)


def _calls_in_reasoning(reasoning: int, rest: int, seen: Seen, source: FigureSource) -> tuple[Figure, Figure, Figure]:
    """Take the calls out of what vLLM reports as reasoning of a Harmony model; the rest is answer and markers."""
    calls = round(reasoning * seen.tool_calls / (seen.reasoning + seen.tool_calls))
    markers = 0 if seen.answer else rest
    thought = Figure(reasoning - calls, "estimate" if seen.reasoning else source, _CALLS_INSIDE)
    return thought, Figure(rest - markers, source, _MINUS), Figure(calls + markers, "estimate", _CALLS_INSIDE)


def _shares(tokens: int, seen: Seen, source: FigureSource) -> tuple[Figure, Figure, Figure]:
    kinds = (seen.reasoning, seen.answer, seen.tool_calls)
    if sum(kind > 0 for kind in kinds) <= 1:
        first, second, third = (Figure(tokens if kind else 0, source) for kind in kinds)
        return (first, second, third) if any(kinds) else (Figure(0, source), Figure(tokens, source), Figure(0, source))
    reasoning = round(tokens * seen.reasoning / seen.total)
    calls = round(tokens * seen.tool_calls / seen.total)
    values = (reasoning, max(0, tokens - reasoning - calls), calls)
    first, second, third = (Figure(value, "estimate" if value else source, _SCALED) for value in values)
    return first, second, third


def _total(usage: Usage | None, prompt: Figure, output: Figure) -> Figure:
    if prompt.value is None or output.value is None:
        return UNKNOWN
    source = prompt.source if output.source == "server" else output.source
    if prompt.source == "estimate":
        source = "estimate"
    total = Figure(prompt.value + output.value, source, "Input and output together.")
    if usage is not None and usage.total_tokens:
        return total.beside(Figure(usage.total_tokens, usage.source, "The server's own total."))
    return total


def _context(usage: Usage | None, total: Figure) -> Figure:
    if usage is None or not usage.input_tokens_per_turn:
        return total
    last = usage.input_tokens_per_turn[-1] + (usage.output_tokens_per_turn[-1:] or (0,))[0]
    return Figure(last, usage.source, "Input and output of the last of the server's own rounds.")


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
