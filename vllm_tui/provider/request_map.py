"""Builds the body of one request to the Responses API from a request and the configuration."""

from __future__ import annotations

from vllm_tui.domain.hygiene import without_surrogates
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.config import ProviderConfig, reasoning_field
from vllm_tui.provider.input_items import input_items, instructions_of

RESPONSE_ID = "vllm:response_id"
"""Metadata key of an assistant message: the id the server stored its response under."""

_SERVER_FIELDS = (
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "chat_template_kwargs",
    "include_reasoning",
    "top_logprobs",
    "cache_salt",
)
_DEFAULT_FORMAT_NAME = "response"


def build_body(
    request: ChatRequest,
    config: ProviderConfig,
    *,
    max_output_tokens: int,
    stream: bool,
    plain_history: bool = False,
    use_state: bool = False,
    continue_text: str | None = None,
) -> JsonObject:
    """Return the body as sent: equal arguments give equal bytes, and no field is ever null.

    `include` does not ask for encrypted reasoning: vLLM never returns any, and refuses it when it is sent back.
    Fields of the request and its metadata win over the configuration; `extra_body` wins over everything.
    """
    asked = request.metadata or {}
    chosen = asked.get("store")
    store = chosen if isinstance(chosen, bool) else use_state
    previous, messages = _since_stored(request.messages) if store and use_state else (None, request.messages)
    items: list[JsonValue] = [*input_items(messages, plain_history=plain_history, continue_text=continue_text)]
    body: JsonObject = {
        "model": request.model or config.default_model,
        "input": items,
        "instructions": instructions_of(request.messages),
        "store": store,
        "previous_response_id": previous,
        "reasoning": _reasoning(request, asked, config),
        "max_output_tokens": max_output_tokens,
        "temperature": _first(request.temperature, config.temperature),
        **_tools(request),
        "truncation": asked.get("truncation") or config.truncation,
        **_server_fields(request, asked, config),
        "text": _text(_first(request.response_format, config.text_format)),
        "stream": True if stream else None,
        **(config.extra_body or {}),
    }
    return _clean_object(body)


def _since_stored(messages: tuple[Message, ...]) -> tuple[str | None, tuple[Message, ...]]:
    """Return the latest stored response's id and the messages after it; everything when none would be left."""
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        found = (message.metadata or {}).get(RESPONSE_ID)
        if message.role != "assistant" or not isinstance(found, str) or not found:
            continue
        rest = messages[position + 1 :]
        return (found, rest) if any(entry.role != "system" for entry in rest) else (None, messages)
    return None, messages


def _first(*values: JsonValue) -> JsonValue:
    return next((value for value in values if value is not None), None)


def _reasoning(request: ChatRequest, asked: JsonObject, config: ProviderConfig) -> JsonValue:
    choices: tuple[JsonValue, ...] = (asked.get("reasoning"), request.reasoning_effort, config.reasoning)
    found = (reasoning_field(choice, config.reasoning_summary) for choice in choices if choice is not None)
    chosen = next((field for field in found if field), None)
    return None if chosen is None else {**chosen}


def _tools(request: ChatRequest) -> JsonObject:
    """Return the three fields about tools, none of them without a tool."""
    if not request.tools:
        return {}
    parallel = request.parallel_tool_calls
    return {
        "tools": [_tool(tool) for tool in request.tools],
        "tool_choice": _tool_choice(request.tool_choice),
        "parallel_tool_calls": True if parallel is None else parallel,
    }


def _tool(tool: ToolSpec) -> JsonObject:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.parameters,
    }


def _tool_choice(choice: str | JsonObject | None) -> JsonValue:
    """Return the choice in the flat form; the nested one of chat completions is refused by the server."""
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "function", "name": name}
        case _:
            return choice or "auto"


def _server_fields(request: ChatRequest, asked: JsonObject, config: ProviderConfig) -> JsonObject:
    """Return the sampling and template fields that are set, and the include that log probabilities need."""
    stop: JsonValue = None if request.stop is None else list(request.stop)
    own: JsonObject = {"top_p": request.top_p, "stop": stop}
    configured: JsonObject = config.model_dump(mode="json", include=set(_SERVER_FIELDS))
    fields: JsonObject = {name: _first(own.get(name), asked.get(name), configured.get(name)) for name in _SERVER_FIELDS}
    if fields["top_logprobs"] is not None:
        fields["include"] = ["message.output_text.logprobs"]
    return fields


def _text(wanted: JsonValue) -> JsonValue:
    """Return the `text` field for a wanted format, None when none is wanted."""
    if not isinstance(wanted, dict) or not wanted:
        return None
    inner = wanted.get("format")
    return {"format": _format(inner if isinstance(inner, dict) else wanted)}


def _format(wanted: JsonObject) -> JsonObject:
    """Return a format in the flat form, from that, Amplifier's or the one of chat completions."""
    if wanted.get("type") in ("json", "json_object"):
        return {"type": "json_object"}
    if wanted.get("type") != "json_schema":
        return wanted
    inner = wanted.get("json_schema")
    if not isinstance(inner, dict):
        return _schema_format(wanted)
    return _schema_format({**wanted, **inner} if isinstance(inner.get("schema"), dict) else {**wanted, "schema": inner})


def _schema_format(fields: JsonObject) -> JsonObject:
    return {
        "type": "json_schema",
        "name": fields.get("name") or _DEFAULT_FORMAT_NAME,
        "schema": fields.get("schema"),
        "description": fields.get("description"),
        "strict": fields.get("strict"),
    }


def _clean_object(value: JsonObject) -> JsonObject:
    """Return the object without null fields at any level and with text that can be encoded."""
    return {without_surrogates(key): _clean(entry) for key, entry in value.items() if entry is not None}


def _clean(value: JsonValue) -> JsonValue:
    """Return a clean value; a list keeps its nulls, as one among allowed values means something."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, dict):
        return _clean_object(value)
    return [_clean(entry) for entry in value] if isinstance(value, list) else value
