"""The ladder of sources: the best number there is for a request's input, and how it was obtained."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from vllm_tui.accounting.chat_messages import text_parts, tokenize_body
from vllm_tui.accounting.figures import Figure, FigureSource, Part
from vllm_tui.accounting.harmony_types import Exchange, NotRenderable, ServerFacts
from vllm_tui.accounting.split import Calibration
from vllm_tui.domain.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder
    from vllm_tui.accounting.harmony import HarmonyRenderer
    from vllm_tui.domain.usage import Usage

Rung = Literal["usage", "rounds", "raw", "tokenize", "harmony", "vocabulary", "characters"]
"""The rungs from the best down."""

Tokenize = Callable[[JsonObject], Awaitable[int]]
"""Asks the server's /tokenize with a body and returns its count; raises TokenizeFailed."""

_MESSAGE_OVERHEAD = 4
"""Tokens a chat template puts around a message, about."""

_NOTES: dict[Rung, str] = {
    "usage": "The usage of the final event.",
    "rounds": "Sum of the server's per-round counts.",
    "raw": "The raw prompt tokens the server sent (enable_response_messages).",
    "tokenize": "The server's own /tokenize counted the conversation.",
    "harmony": "Rendered here as vLLM 0.32 renders it for gpt-oss (Harmony).",
    "vocabulary": "The texts counted with the o200k vocabulary, which need not be this model's.",
    "characters": "From the number of characters.",
}
_SOURCES: dict[Rung, FigureSource] = {
    "usage": "server",
    "rounds": "server",
    "raw": "server",
    "tokenize": "computed",
    "harmony": "computed",
    "vocabulary": "estimate",
    "characters": "estimate",
}


class TokenizeFailed(Exception):
    """The server can't count: no such route, no connection, or it refused."""


@dataclass(frozen=True, slots=True)
class InputCount:
    """A request's input: the figure, its split by part, the rung, and what was assumed.

    `parts` add up to the figure. They are exact on the rung `harmony` and shares by length on the others.
    """

    figure: Figure
    rung: Rung
    parts: tuple[Part, ...] = ()
    assumptions: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        """Return the count for scripts."""
        parts: JsonObject = {part.name: part.tokens for part in self.parts}
        return {
            "input_tokens": self.figure.value,
            "source": self.figure.source,
            "method": self.rung,
            "explanation": self.figure.explanation,
            "assumptions": [*self.assumptions],
            "parts": parts,
        }


def is_harmony_model(model: str) -> bool:
    """Return whether vLLM serves this model through Harmony, as far as its name tells."""
    return "gpt-oss" in model.lower()


def count_reported(usage: Usage | None, raw: Sequence[JsonObject] = ()) -> InputCount | None:
    """Return what the server reported, None when it reported nothing; a prompt of 0 tokens is nothing.

    `raw` is `input_messages` of a response with `enable_response_messages`.
    """
    if usage is not None and usage.input_tokens:
        figure = Figure(usage.input_tokens, usage.source, _NOTES["usage"])
        return InputCount(figure.beside(_figure("rounds", sum(usage.input_tokens_per_turn) or None)), "usage")
    if usage is not None and any(usage.input_tokens_per_turn):
        return InputCount(_figure("rounds", sum(usage.input_tokens_per_turn)), "rounds")
    tokens = [entry["tokens"] for entry in raw if isinstance(entry.get("tokens"), list)]
    if tokens:
        return InputCount(_figure("raw", sum(len(ids) for ids in tokens if isinstance(ids, list))), "raw")
    return None


class Ladder:
    """Counts requests. `encoder` gives the vocabulary once it is loaded; None before."""

    def __init__(
        self,
        encoder: Callable[[], Encoder | None],
        *,
        facts: ServerFacts | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self._encoder = encoder
        self._facts = facts
        self._renderer: HarmonyRenderer | None = None
        self.calibration = calibration or Calibration()

    async def count(
        self,
        body: Mapping[str, JsonValue],
        model: str,
        *,
        usage: Usage | None = None,
        raw: Sequence[JsonObject] = (),
        tokenize: Tokenize | None = None,
        earlier: Mapping[str, Exchange] | None = None,
    ) -> InputCount:
        """Return the best count there is; asks the server's /tokenize only where nothing better is at hand."""
        reported = count_reported(usage, raw)
        if reported is not None and reported.figure.source == "server":
            local = self.count_locally(body, model, earlier=earlier)
            is_exact = local.rung == "harmony"
            return replace(
                reported,
                figure=reported.figure.beside(local.figure) if is_exact else reported.figure,
                parts=scaled(local.parts, int(reported.figure.value or 0)),
            )
        local = self.count_locally(body, model, earlier=earlier)
        if local.rung == "harmony" or tokenize is None:
            return local
        return await self._ask(body, model, tokenize, local)

    def count_locally(
        self, body: Mapping[str, JsonValue], model: str, *, earlier: Mapping[str, Exchange] | None = None
    ) -> InputCount:
        """Return the best count without the network; never fails. Takes milliseconds for long conversations."""
        reason = ""
        renderer = self.renderer if is_harmony_model(model) else None
        if renderer is not None:
            try:
                prompt = renderer.render_request(body, self._facts, earlier)
            except NotRenderable as problem:
                reason = str(problem)
            else:
                return InputCount(_figure("harmony", prompt.count), "harmony", prompt.parts, prompt.assumptions)
        return self._by_texts(body, reason)

    @property
    def renderer(self) -> HarmonyRenderer | None:
        """Return the Harmony renderer once the vocabulary is loaded."""
        from vllm_tui.accounting.harmony import HarmonyRenderer

        encoder = self._encoder()
        if self._renderer is None and encoder is not None:
            self._renderer = HarmonyRenderer(encoder)
        return self._renderer

    def count_text(self, text: str, model: str = "") -> InputCount:
        """Return the tokens of plain text without anything around it."""
        encoder = self._encoder()
        if encoder is None:
            return InputCount(_figure("characters", self.calibration.tokens_of(len(text))), "characters")
        count = len(encoder.encode(text))
        figure = _figure("vocabulary", count)
        if is_harmony_model(model):
            figure = Figure(count, "computed", "Counted with the model's vocabulary (o200k).")
        return InputCount(figure, "vocabulary")

    def _by_texts(self, body: Mapping[str, JsonValue], reason: str) -> InputCount:
        encoder = self._encoder()
        rung: Rung = "characters" if encoder is None else "vocabulary"
        counts: dict[str, int] = {}
        for part, text in text_parts(body):
            tokens = self.calibration.tokens_of(len(text)) if encoder is None else len(encoder.encode(text))
            counts[part] = counts.get(part, 0) + tokens + _MESSAGE_OVERHEAD
        figure = _figure(rung, sum(counts.values()))
        if reason:
            figure = replace(figure, note=f"{figure.note} Not rendered exactly: {reason}")
        return InputCount(figure, rung, tuple(Part(*entry) for entry in counts.items()))

    async def _ask(
        self, body: Mapping[str, JsonValue], model: str, tokenize: Tokenize, local: InputCount
    ) -> InputCount:
        try:
            count = await tokenize(tokenize_body(body))
        except TokenizeFailed as problem:
            note = f"{local.figure.note} The server's /tokenize was no help: {problem}"
            return replace(local, figure=replace(local.figure, note=note))
        figure = _figure("tokenize", count)
        if is_harmony_model(model):
            figure = replace(figure, source="estimate", note=f"{figure.note} Its template is not quite Harmony.")
        return InputCount(figure, "tokenize", scaled(local.parts, count))


def _figure(rung: Rung, value: int | None) -> Figure:
    return Figure(value, _SOURCES[rung], _NOTES[rung])


def scaled(parts: Sequence[Part], total: int) -> tuple[Part, ...]:
    """Return the parts in the same proportion, adding up to `total`."""
    whole = sum(part.tokens for part in parts)
    if not whole or whole == total:
        return tuple(parts)
    edges = [0]
    for part in parts:
        edges.append(edges[-1] + part.tokens)
    cuts = [round(edge * total / whole) for edge in edges]
    return tuple(Part(part.name, end - begin) for part, begin, end in zip(parts, cuts, cuts[1:], strict=False))
