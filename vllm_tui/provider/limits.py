"""How large a model's window and answers may be: what the server's cards say, bounded by the configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from vllm_tui.domain.errors import ProtocolError
from vllm_tui.domain.response import ModelInfo
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.config import DEFAULT_CONTEXT_WINDOW, DEFAULT_OUTPUT_CEILING, ProviderConfig

logger = logging.getLogger("vllm_tui.provider")

_WINDOW_FIELDS = ("max_model_len", "max_input_tokens")
_LONGEST_NUMBER = 18


def models_from(payload: JsonValue, is_local: bool = True) -> tuple[ModelInfo, ...]:
    """Return the models of a `GET /models` body as the server describes them, limits of the configuration left out.

    Entries without an id are skipped, and repeated ones. An adapter that states no window has its parent's.
    Raises ProtocolError when the body is no list of models.
    """
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(data, list):
        raise ProtocolError(
            "The server's answer to /models is no list of models.",
            hint="Check that the base URL is that of a vLLM server and ends in /v1.",
            retryable=False,
        )
    found: dict[str, ModelInfo] = {}
    for entry in data:
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(name, str) and name.strip():
            found.setdefault(name, _model(name, entry, is_local))
    return tuple(_with_parent(model, found) for model in found.values())


class Limits:
    """The limits of every model, from the cards learnt so far and the configuration; all figures are tokens."""

    def __init__(self, config: ProviderConfig) -> None:
        self._window = config.context_window
        self._output = config.max_output_tokens or DEFAULT_OUTPUT_CEILING
        self._cards: dict[str, ModelInfo] = {}
        self._warned: set[tuple[str, int]] = set()

    def learn(self, models: Iterable[ModelInfo]) -> None:
        """Remember cards as `models_from` returns them; logs what changed and a configured window that is too large."""
        for card in models:
            before = self._cards.get(card.id)
            self._cards[card.id] = card
            if card.context_window is not None:
                self._tell(card, card.context_window, before)

    @property
    def cards(self) -> tuple[ModelInfo, ...]:
        """The cards learnt so far, as the server gave them."""
        return tuple(self._cards.values())

    def known_window(self, model: str) -> int | None:
        """Return the window of `model`, None when it is neither configured nor discovered."""
        return self._known(self._cards.get(model))

    def window(self, model: str) -> int:
        """Return the window of `model`; 128000 when nobody knows it."""
        return self.known_window(model) or DEFAULT_CONTEXT_WINDOW

    def output_ceiling(self, model: str) -> int:
        """Return the most an answer of `model` may take: at most half the window."""
        return self._ceiling(self._cards.get(model))

    def with_limits(self, model_info: ModelInfo) -> ModelInfo:
        """Return the card with window and output ceiling that hold; the source is `context_window` when configured."""
        known = self._known(model_info)
        configured = known is not None and known != model_info.context_window
        return model_info.model_copy(
            update={
                "context_window": known or DEFAULT_CONTEXT_WINDOW,
                "max_output_tokens": self._ceiling(model_info),
                "context_window_source": "context_window" if configured else model_info.context_window_source,
            }
        )

    def _known(self, card: ModelInfo | None) -> int | None:
        figures = [self._window, card.context_window if card else None]
        return min((figure for figure in figures if figure is not None), default=None)

    def _ceiling(self, card: ModelInfo | None) -> int:
        half = max(1, (self._known(card) or DEFAULT_CONTEXT_WINDOW) // 2)
        own = card.max_output_tokens if card else None
        return min(self._output, half, self._output if own is None else own)

    def _tell(self, card: ModelInfo, discovered: int, before: ModelInfo | None) -> None:
        source = card.context_window_source
        if before is None or (before.context_window, before.context_window_source) != (discovered, source):
            logger.info("The context window of %r is %d tokens, from %s.", card.id, discovered, source)
        if self._window is not None and self._window > discovered and (card.id, discovered) not in self._warned:
            self._warned.add((card.id, discovered))
            logger.warning(
                "The option context_window is %d, but the server serves %r with %d tokens; %d is used.",
                self._window,
                card.id,
                discovered,
                discovered,
            )


def _model(name: str, card: JsonObject, is_local: bool) -> ModelInfo:
    windows = ((field, _positive(card.get(field))) for field in _WINDOW_FIELDS)
    source, window = next(((field, size) for field, size in windows if size is not None), (None, None))
    parent = card.get("parent")
    return ModelInfo(
        id=name,
        display_name=name,
        context_window=window,
        max_output_tokens=_positive(card.get("max_output_tokens")),
        context_window_source=source,
        parent=parent if isinstance(parent, str) and parent else None,
        capabilities=("tools", "streaming", "reasoning", "local" if is_local else "remote"),
    )


def _with_parent(model: ModelInfo, models: dict[str, ModelInfo]) -> ModelInfo:
    parent = models.get(model.parent or "")
    if model.context_window is not None or parent is None:
        return model
    found = {"context_window": parent.context_window, "context_window_source": parent.context_window_source}
    return model.model_copy(update=found)


def _positive(value: JsonValue) -> int | None:
    """Return a positive whole number, also when written as text; None for everything else."""
    match value:
        case bool():
            return None
        case int() if value > 0:
            return value
        case float() if value > 0 and value.is_integer():
            return int(value)
        case str():
            text = value.strip()
            plain = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
            return (int(text) or None) if plain else None
        case _:
            return None
