"""Makes the token view of a turn: the prompt rendered again as it was sent, the answer as far as it is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vllm_tui.accounting.answers import output_items
from vllm_tui.accounting.chat_messages import text_parts, tokenize_body
from vllm_tui.accounting.figures import Part
from vllm_tui.accounting.harmony import HarmonyRenderer
from vllm_tui.accounting.harmony_types import NotRenderable
from vllm_tui.accounting.ladder import is_harmony_model
from vllm_tui.accounting.token_view import TokenSide, TokenView, shown_logprobs, shown_pieces
from vllm_tui.accounting.tokens_view import (
    Piece,
    channel_counts,
    part_counts,
    prompt_pieces,
    readable,
    tokenized_pieces,
)
from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.engine.history import past_messages, running_messages
from vllm_tui.provider.request_map import build_body
from vllm_tui.provider.token_facts import LOGPROBS, OUTPUT_MESSAGES
from vllm_tui.server.tokenize import TokenCount, tokenize

if TYPE_CHECKING:
    from vllm_tui.accounting.encoder import Encoder
    from vllm_tui.demo.transport import DemoTransport
    from vllm_tui.domain.blocks import Block
    from vllm_tui.domain.turns import Turn
    from vllm_tui.domain.values import JsonObject, JsonValue
    from vllm_tui.provider.config import ProviderConfig

_SERVER_SECONDS = 15.0
_HARMONY_NOTE = "Rendered here as vLLM renders it for gpt-oss (Harmony)."
_SERVER_NOTE = "As the server's own /tokenize renders it with the model's template."
_DEMO_NOTE = "As the demo cuts text; a real server shows the tokens of its model."
_NO_VOCABULARY = "The vocabulary of gpt-oss is not loaded (/vocab fetches it): the text is shown without tokens."
_KINDS = {"thinking": "reasoning", "text": "answer", "tool_call": "calls"}


class TokenReader:
    """Reads turns token by token, with the vocabulary or through the configured server."""

    def __init__(self, config: ProviderConfig, encoder: Encoder | None, demo: DemoTransport | None = None) -> None:
        self._config = config
        self._encoder = encoder
        self._demo = demo

    async def view(
        self, turns: Sequence[Turn], number: int, system: str | None, tools: Sequence[ToolSpec]
    ) -> TokenView:
        """Return both sides of turn `number` of a conversation; what can't be had says why."""
        turn = turns[number]
        body = self._body(turns, number, system, tools)
        model = turn.model or self._config.default_model
        return TokenView(await self._prompt(body, model), await self._answer(turn, model))

    def _body(self, turns: Sequence[Turn], number: int, system: str | None, tools: Sequence[ToolSpec]) -> JsonObject:
        turn = turns[number]
        before = turn.model_copy(update={"rounds": turn.rounds[:-1]})
        messages = (*past_messages(turns[:number]), *running_messages(before))
        if system:
            messages = (Message(role="system", content=system), *messages)
        request = ChatRequest(
            messages=messages, tools=tuple(tools), model=turn.model or None, reasoning_effort=turn.effort
        )
        return build_body(request, self._config, max_output_tokens=1, stream=False)

    async def _prompt(self, body: JsonObject, model: str) -> TokenSide:
        if self._demo is not None or not is_harmony_model(model):
            return await self._asked(body, model)
        if self._encoder is None:
            return _untokenized(body, _NO_VOCABULARY)
        return await asyncio.to_thread(_rendered, body, self._encoder)

    async def _asked(self, body: JsonObject, model: str) -> TokenSide:
        asked = tokenize_body(body)
        try:
            counted = await self._tokenize(
                model, messages=_objects(asked.get("messages")), tools=_objects(asked.get("tools"))
            )
        except VLLMError as error:
            return _untokenized(body, f"The server does not show its tokens: {error}")
        note = _SERVER_NOTE if self._demo is None else _DEMO_NOTE
        if "chat_template_kwargs" in asked:
            note += " The effort can't be passed to it: what the template makes of it is missing."
        return _side_of(counted, note, "prompt")

    async def _answer(self, turn: Turn, model: str) -> TokenSide:
        if not turn.rounds:
            return TokenSide(note="There is no answer.")
        answer = turn.rounds[-1].answer
        facts = answer.metadata or {}
        channels = _channels(facts, self._encoder)
        tokens = shown_logprobs(facts.get(LOGPROBS))
        if tokens:
            note = "Each token with its probability, as the server reported it (top_logprobs)."
            return TokenSide(tokens, "server", note, channels or (Part("answer", len(tokens)),))
        content = () if isinstance(answer.content, str) else answer.content
        if is_harmony_model(model) and self._encoder is not None:
            return _split(content, self._encoder, channels)
        if self._demo is None and is_harmony_model(model):
            return TokenSide(note="Nothing here can split the answer; set top_logprobs where the model takes it.")
        return await self._asked_text(answer.text, model)

    async def _asked_text(self, text: str, model: str) -> TokenSide:
        try:
            counted = await self._tokenize(model, prompt=text)
        except VLLMError as error:
            return TokenSide(note=f"The server does not show its tokens: {error}")
        note = "The answer's text split by /tokenize; top_logprobs (F4) brings the tokens as they were made."
        return _side_of(counted, note, "answer")

    async def _tokenize(
        self,
        model: str,
        *,
        prompt: str | None = None,
        messages: list[JsonObject] | None = None,
        tools: list[JsonObject] | None = None,
    ) -> TokenCount:
        return await tokenize(
            self._config.base_url,
            self._config.api_key,
            model=model,
            prompt=prompt,
            messages=messages,
            tools=tools,
            with_pieces=True,
            timeout=_SERVER_SECONDS,
            transport=self._demo,
        )


def _rendered(body: JsonObject, encoder: Encoder) -> TokenSide:
    try:
        prompt = HarmonyRenderer(encoder).render_request(body)
    except NotRenderable as problem:
        return _untokenized(body, f"Not rendered exactly: {problem}")
    note = " ".join((_HARMONY_NOTE, *prompt.assumptions))
    return TokenSide(shown_pieces(prompt_pieces(prompt, encoder)), "computed", note, prompt.parts)


def _side_of(counted: TokenCount, note: str, part: str) -> TokenSide:
    if len(counted.pieces) != len(counted.tokens):
        return TokenSide(note=f"The server counts {counted.count:,} tokens but does not show them.")
    pieces = [Piece(p.text, p.token, p.is_special, part) for p in tokenized_pieces(counted.tokens, counted.pieces)]
    return TokenSide(shown_pieces(pieces), "computed", note, part_counts(pieces))


def _untokenized(body: JsonObject, note: str) -> TokenSide:
    """Return the texts of a request as whole pieces, with no claim about tokens."""
    pieces = [Piece(f"{text}\n", -1, False, part) for part, text in text_parts(body)]
    return TokenSide(shown_pieces(pieces), None, note)


def _split(content: Sequence[Block], encoder: Encoder, channels: tuple[Part, ...]) -> TokenSide:
    pieces: list[Piece] = []
    for block in content:
        part = _KINDS.get(block.type, "")
        text = _text_of(block)
        pieces += [Piece(readable(encoder.token_bytes(token)), token, False, part) for token in encoder.encode(text)]
    exact = HarmonyRenderer(encoder).count_output(output_items(content))
    note = f"The texts split by the model's vocabulary; with the markers of its channels {exact.total:,} tokens."
    return TokenSide(shown_pieces(pieces), "computed", note, channels or part_counts(pieces))


def _text_of(block: Block) -> str:
    match block.type:
        case "text":
            return block.text
        case "thinking":
            return block.thinking
        case "tool_call":
            return f"{block.name} {block.raw_arguments or block.input}"
        case _:
            return ""


def _channels(facts: JsonObject, encoder: Encoder | None) -> tuple[Part, ...]:
    messages = _objects(facts.get(OUTPUT_MESSAGES))
    return channel_counts(messages, None if encoder is None else HarmonyRenderer(encoder)) if messages else ()


def _objects(values: JsonValue) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
