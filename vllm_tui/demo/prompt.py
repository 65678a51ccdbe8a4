"""The prompt as tokens: what it counts, whether it fits, and /tokenize."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from vllm_tui.demo.ask import Ask, choose_model
from vllm_tui.demo.refusals import malformed, prompt_too_long, refuse
from vllm_tui.demo.tokens import split_tokens

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonObject

TEMPLATE_TOKENS = 68
"""Tokens a chat template adds around the messages."""


def prompt_tokens(ask: Ask) -> list[str]:
    """Return the tokens of the rendered prompt: template, tools, instructions, then the conversation."""
    tools = [json.dumps(tool, sort_keys=True) for tool in ask.tools]
    kept = [item for item in ask.items if ask.model.is_harmony or item.get("type") != "reasoning"]
    parts = [ask.effort or "", str(ask.body.get("instructions") or ""), *tools, *map(_render, kept)]
    return ["\x00"] * TEMPLATE_TOKENS + split_tokens("\n".join(parts))


def _render(item: JsonObject) -> str:
    content = item.get("content", item.get("output", item.get("arguments")))
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"<{item.get('role') or item.get('type')}> {item.get('name') or ''} {text}"


def fit_window(ask: Ask, tokens: list[str]) -> tuple[list[str], int]:
    """Return the prompt as it is used and the effective output limit, as vLLM's two truncation modes do."""
    window, asked = ask.model.window, ask.body.get("max_output_tokens")
    if len(tokens) >= window:
        if ask.body.get("truncation") != "auto":
            raise prompt_too_long(window, len(tokens), is_exact=ask.model.is_harmony)
        if asked is None:
            message = f"The engine prompt length {window} exceeds the max_model_len {window}. Please reduce prompt."
            raise refuse(400, message, "invalid_request_error", "input")
        return tokens[1 - window :], 1
    left = window - len(tokens)
    return tokens, min(left, int(asked)) if isinstance(asked, int | float) else left


def tokenize_answer(body: JsonObject) -> JsonObject:
    """Return what /tokenize answers to a prompt or to messages; refuse anything else."""
    model = choose_model(body)
    prompt, messages = body.get("prompt"), body.get("messages")
    if isinstance(prompt, str):
        pieces = split_tokens(prompt)
    elif isinstance(messages, list):
        pieces = [
            piece for message in messages if isinstance(message, dict) for piece in split_tokens(_render(message))
        ]
    else:
        found = f"<dict of {len(body)} items>"
        raise malformed(
            "body.prompt",
            *(
                f"{{'type': 'missing', 'loc': 'body.{name}', 'msg': 'Field required', 'input': '{found}'}}"
                for name in ("prompt", "messages")
            ),
        )
    numbers = [int.from_bytes(hashlib.sha256(piece.encode("utf-8", "replace")).digest()[:2]) for piece in pieces]
    answer: JsonObject = {"count": len(pieces), "max_model_len": model.window, "tokens": [*numbers]}
    return answer | {"token_strs": [*pieces] if body.get("return_token_strs") else None}
