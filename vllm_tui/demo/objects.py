"""The JSON objects of vLLM 0.32's Responses API: response, items, usage, models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.demo.ask import Ask, Model
    from vllm_tui.domain.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Head:
    """What is fixed before the first token: the request, the id, the time and the effective output limit."""

    ask: Ask
    response_id: str
    created_at: int
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Token counts of a response."""

    prompt: int
    cached: int
    written: int
    output: int
    reasoning: int


def response_object(
    head: Head,
    *,
    status: str = "in_progress",
    output: list[JsonValue] | None = None,
    usage: JsonObject | None = None,
    metrics: JsonObject | None = None,
) -> JsonObject:
    """Return the response; without `usage` it is the one of the first two events."""
    body = head.ask.body
    is_cut = status == "incomplete"
    found: JsonObject = {
        "id": head.response_id,
        "created_at": head.created_at,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata"),
        "model": head.ask.model.name,
        "object": "response",
        "output": output if output is not None else [],
        "parallel_tool_calls": _given(body, "parallel_tool_calls", default=True),
        "temperature": _real(body, "temperature"),
        "tool_choice": _given(body, "tool_choice", default="auto") if head.ask.tools else "none",
        "tools": [_tool(tool) for tool in head.ask.tools],
        "top_p": _real(body, "top_p"),
        "background": False,
        "max_output_tokens": head.max_output_tokens,
        "max_tool_calls": body.get("max_tool_calls"),
        "previous_response_id": body.get("previous_response_id"),
        "prompt": None,
        "reasoning": _reasoning(body),
        "service_tier": _given(body, "service_tier", default="auto"),
        "status": status,
        "text": _text(body),
        "top_logprobs": None,
        "truncation": _given(body, "truncation", default="disabled"),
        "usage": usage,
        "user": body.get("user"),
    }
    if metrics is not None:
        found["metrics"] = metrics
    return found | {
        "presence_penalty": _real(body, "presence_penalty", 0.0),
        "frequency_penalty": _real(body, "frequency_penalty", 0.0),
        "kv_transfer_params": None,
        "ec_transfer_params": None,
        "input_messages": None,
        "output_messages": None,
    }


def _given(body: JsonObject, field: str, *, default: JsonValue) -> JsonValue:
    value = body.get(field)
    return default if value is None else value


def _real(body: JsonObject, field: str, default: float = 1.0) -> float:
    value = body.get(field)
    return float(value) if isinstance(value, int | float) else default


def _reasoning(body: JsonObject) -> JsonObject | None:
    given = body.get("reasoning")
    if not isinstance(given, dict):
        return None
    return {key: given.get(key) for key in ("context", "effort", "generate_summary", "mode", "summary")}


def _text(body: JsonObject) -> JsonObject | None:
    given = body.get("text")
    if not isinstance(given, dict):
        return None
    shape = given.get("format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        shape = {key: shape.get(key) for key in ("name", "schema", "type", "description", "strict")}
    return {"format": shape, "verbosity": given.get("verbosity")}


def _tool(tool: JsonObject) -> JsonObject:
    return {
        "name": tool.get("name"),
        "parameters": tool.get("parameters"),
        "strict": tool.get("strict"),
        "type": "function",
        "allowed_callers": None,
        "async": None,
        "defer_loading": None,
        "description": tool.get("description"),
        "output_schema": None,
    }


def usage_object(tally: Tally, *, is_harmony: bool) -> JsonObject:
    """Return the usage; only Harmony models fill the lists by turn."""
    return {
        "input_tokens": tally.prompt,
        "input_tokens_details": {
            "cached_tokens": tally.cached,
            "cache_write_tokens": tally.written,
            "input_tokens_per_turn": [tally.prompt] if is_harmony else [],
            "cached_tokens_per_turn": [tally.cached] if is_harmony else [],
        },
        "output_tokens": tally.output,
        "output_tokens_details": {
            "reasoning_tokens": tally.reasoning,
            "tool_output_tokens": 0,
            "output_tokens_per_turn": [tally.output] if is_harmony else [],
            "tool_output_tokens_per_turn": [0] if is_harmony else [],
        },
        "total_tokens": tally.prompt + tally.output,
    }


def metrics_object(first_token: float, generation: float, tokens: int) -> JsonObject:
    """Return the figures of `--enable-per-request-metrics`, in milliseconds and tokens a second."""
    return {
        "time_to_first_token_ms": first_token * 1000,
        "generation_time_ms": generation * 1000,
        "queue_time_ms": first_token * 4,
        "mean_itl_ms": generation * 1000 / max(1, tokens - 1),
        "tokens_per_second": tokens / (first_token + generation),
        "speculative_decoding": None,
    }


def reasoning_item(item_id: str, text: str | None, status: str | None) -> JsonObject:
    """Return a reasoning item; `text` None means that it has just opened."""
    content: JsonValue = None if text is None else [{"text": text, "type": "reasoning_text"}]
    return {
        "id": item_id,
        "summary": [],
        "type": "reasoning",
        "content": content,
        "encrypted_content": None,
        "status": status,
    }


def text_part(text: str, *, is_open: bool = False) -> JsonObject:
    """Return the one part of a message; `logprobs` is a list only while it opens."""
    return {"annotations": [], "text": text, "type": "output_text", "logprobs": [] if is_open else None}


def message_item(item_id: str, text: str | None, status: str) -> JsonObject:
    """Return a message; `text` None means that it has just opened."""
    content: list[JsonValue] = [] if text is None else [text_part(text)]
    return {
        "id": item_id,
        "content": content,
        "role": "assistant",
        "status": status,
        "type": "message",
        "phase": None,
    }


def call_item(item_id: str, call_id: str, name: str, arguments: str, status: str) -> JsonObject:
    """Return a function call; `arguments` is empty while it opens."""
    return {
        "arguments": arguments,
        "call_id": call_id,
        "name": name,
        "type": "function_call",
        "id": item_id,
        "async": None,
        "caller": None,
        "namespace": None,
        "status": status,
    }


def models_object(models: tuple[Model, ...], created: int) -> JsonObject:
    """Return the list of /v1/models."""
    return {"object": "list", "data": [_model_object(model, created) for model in models]}


def _model_object(model: Model, created: int) -> JsonObject:
    permission: JsonObject = {
        "id": f"modelperm-{model.window:016x}",
        "object": "model_permission",
        "created": created,
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    return {
        "id": model.name,
        "object": "model",
        "created": created,
        "owned_by": "vllm",
        "root": model.name,
        "parent": None,
        "max_model_len": model.window,
        "permission": [permission],
    }
