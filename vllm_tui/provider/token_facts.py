"""Keeps what a server says of single tokens: log probabilities, and raw messages where they were asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping

from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.response_map import output_items

LOGPROBS, INPUT_MESSAGES, OUTPUT_MESSAGES = "vllm:logprobs", "vllm:input_messages", "vllm:output_messages"
"""Keys in the metadata of a response."""

MAX_TOKENS, MAX_CHARACTERS = 20_000, 1_000_000
"""More than this is not kept: it is stored with the turn."""


def read_token_facts(final: Mapping[str, JsonValue]) -> JsonObject:
    """Return the token facts of a final object, none where the server sent none.

    Log probabilities are `[token, logprob, [[other, logprob], ...]]` for each token of the answer.
    """
    facts: JsonObject = {}
    found = [entry for item in output_items(final) for entry in _logprobs_of(item)][:MAX_TOKENS]
    if found:
        facts[LOGPROBS] = [*found]
    for key, name in (("input_messages", INPUT_MESSAGES), ("output_messages", OUTPUT_MESSAGES)):
        messages = final.get(key)
        if isinstance(messages, list) and messages and len(json.dumps(messages)) <= MAX_CHARACTERS:
            facts[name] = messages
    return facts


def _logprobs_of(item: JsonObject) -> list[list[JsonValue]]:
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    entries = [entry for part in parts for entry in _objects(part.get("logprobs"))]
    return [[str(entry.get("token", "")), _number(entry), _others(entry)] for entry in entries]


def _others(entry: JsonObject) -> list[JsonValue]:
    return [[str(other.get("token", "")), _number(other)] for other in _objects(entry.get("top_logprobs"))]


def _number(entry: JsonObject) -> float | None:
    value = entry.get("logprob")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _objects(values: JsonValue) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
