"""Counts prompts for the provider: with the vocabulary where it is loaded, by the server where that is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vllm_tui.accounting.answers import fill_usage, output_items
from vllm_tui.accounting.chat_messages import text_parts, tokenize_body
from vllm_tui.accounting.figures import Figure, Part
from vllm_tui.accounting.harmony_types import Exchange
from vllm_tui.accounting.ladder import Ladder, is_harmony_model, scaled
from vllm_tui.domain.errors import NotFound, VLLMError
from vllm_tui.provider.counting import Counted

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.domain.values import JsonObject, JsonValue
    from vllm_tui.provider.config import ProviderConfig

SERVER_SECONDS = 2.0
"""How long a request may wait for the server's count of it."""


class LadderCounter:
    """A PromptCounter; `encoder` gives the vocabulary once it is loaded. A key goes to the configured server alone."""

    def __init__(self, encoder: Callable[[], Encoder | None], config: ProviderConfig) -> None:
        self._ladder = Ladder(encoder)
        self._config = config
        self._is_without_tokenize = False
        self._earlier: dict[str, Exchange] = {}

    def count(self, body: JsonObject, model: str) -> Counted | None:
        """Count a gpt-oss prompt exactly; None for other models, and before the vocabulary is loaded."""
        if not is_harmony_model(model) or self._ladder.renderer is None:
            return None
        found = self._ladder.count_locally(body, model, earlier=self._earlier)
        if found.rung != "harmony" or found.figure.value is None:
            return None
        note = " ".join((found.figure.note, *found.assumptions))
        return Counted(int(found.figure.value), "computed", _pairs(found.parts), note)

    async def ask_server(self, body: JsonObject, model: str) -> Counted | None:
        """Let the server's /tokenize count, for models whose template it knows; a server without it is asked once."""
        asked = tokenize_body(body)
        if is_harmony_model(model) or self._is_without_tokenize or "chat_template_kwargs" in asked:
            return None
        from vllm_tui.server.tokenize import tokenize

        try:
            counted = await tokenize(
                self._config.base_url,
                self._config.api_key,
                model=model,
                messages=_objects(asked.get("messages")),
                tools=_objects(asked.get("tools")),
                timeout=SERVER_SECONDS,
            )
        except NotFound:
            self._is_without_tokenize = True
            return None
        except VLLMError:
            return None
        note = "The server's own /tokenize counted the conversation."
        return Counted(counted.count, "computed", note=note)

    def split(self, body: JsonObject, tokens: int) -> tuple[tuple[str, int], ...]:
        """Divide `tokens` by the lengths of the parts."""
        lengths: dict[str, int] = {}
        for part, text in text_parts(body):
            lengths[part] = lengths.get(part, 0) + len(text)
        return _pairs(scaled([Part(*entry) for entry in lengths.items()], tokens))

    def finish(
        self, response: ChatResponse, body: JsonObject, model: str, counted: Counted | None = None
    ) -> ChatResponse:
        """Count what the server reported as nothing; an answer of gpt-oss exactly, others by their length.

        What the server keeps of gpt-oss is kept here too: a later request may build on it.
        """
        if response.response_id is not None and body.get("store") and is_harmony_model(model):
            self._earlier[response.response_id] = Exchange(body, output_items(response.content))
        prompt = None if counted is None else Figure(counted.tokens, counted.source, counted.note)
        return fill_usage(response, body, model, self._ladder, prompt)


def _pairs(parts: tuple[Part, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((part.name, part.tokens) for part in parts)


def _objects(values: JsonValue) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
