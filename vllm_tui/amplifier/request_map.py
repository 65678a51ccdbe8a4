"""The kernel's request envelope and call arguments as one of our requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from vllm_tui.domain.blocks import Block, ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.messages import Message, Role, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from amplifier_core import message_models as kernel

RAW_ARGUMENTS, ARGUMENTS_ERROR = "_raw_arguments", "_error"
"""Keys under which arguments travel that are no JSON object; the kernel knows objects only."""
_OPTIONS = ("store", "truncation")


@dataclass(frozen=True, slots=True)
class Thinking:
    """What extended thinking asks for: effort, token budget, and what is added to the budget for the answer."""

    effort: str = "high"
    budget: int | None = None
    buffer: int = 1024


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the mounted configuration says, where a call leaves it open."""

    max_tokens: int
    has_reasoning: bool
    thinking: Thinking = Thinking()


def request_of(envelope: kernel.ChatRequest, arguments: Mapping[str, object], defaults: Defaults) -> ChatRequest:
    """Return our request. Options only one call can set travel in `metadata`: store, truncation, reasoning.

    A call's arguments win over the envelope, except for `temperature` and `max_tokens`, where the envelope does.
    """
    reasoning = _reasoning(envelope, arguments, defaults)
    metadata = _object(envelope.metadata) | {key: plain(arguments[key]) for key in _OPTIONS if key in arguments}
    if isinstance(reasoning, dict):
        metadata["reasoning"] = reasoning
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else reasoning
    return ChatRequest(
        messages=tuple(found for message in envelope.messages if (found := message_of(message)) is not None),
        tools=tuple(_tool(tool) for tool in envelope.tools or ()),
        model=_text(arguments.get("model")) or envelope.model or None,
        tool_choice=_choice(arguments.get("tool_choice") or envelope.tool_choice),
        temperature=_first_number(envelope.temperature, arguments.get("temperature")),
        top_p=_first_number(arguments.get("top_p"), envelope.top_p),
        max_output_tokens=_output_tokens(envelope, arguments, defaults),
        reasoning_effort=_text(effort),
        stop=tuple(envelope.stop) if envelope.stop else None,
        response_format=_format(envelope.response_format),
        parallel_tool_calls=_flag(arguments.get("parallel_tool_calls")),
        timeout=_first_number(arguments.get("timeout"), envelope.timeout),
        metadata=metadata or None,
    )


def _reasoning(
    envelope: kernel.ChatRequest, arguments: Mapping[str, object], defaults: Defaults
) -> str | JsonObject | None:
    extra = getattr(envelope, "reasoning", None)
    for chosen in (arguments.get("reasoning"), extra, envelope.reasoning_effort):
        if isinstance(chosen, Mapping):
            return _object({"effort": "medium", **{key: value for key, value in chosen.items() if value is not None}})
        if isinstance(chosen, str) and chosen:
            return chosen
    if arguments.get("extended_thinking") and not defaults.has_reasoning:
        return _text(arguments.get("reasoning_effort")) or defaults.thinking.effort
    return None


def _output_tokens(envelope: kernel.ChatRequest, arguments: Mapping[str, object], defaults: Defaults) -> int | None:
    chosen = envelope.max_output_tokens or _whole(arguments.get("max_tokens"))
    if not arguments.get("extended_thinking"):
        return chosen
    budget = _whole(arguments.get("thinking_budget_tokens")) or defaults.thinking.budget
    if budget is None:
        return chosen
    buffer = arguments.get("thinking_budget_buffer")
    return max(
        chosen or defaults.max_tokens, budget + (buffer if isinstance(buffer, int) else defaults.thinking.buffer)
    )


def message_of(message: kernel.Message) -> Message | None:
    """Return our message, or None when nothing of it can be told to a model. `function` is an older name of `tool`."""
    role = cast("Role", "tool" if message.role == "function" else message.role)
    extras = message.model_extra or {}
    name = message.name or _text(extras.get("tool_name")) or _text(extras.get("tool"))
    content: str | tuple[Block, ...]
    if isinstance(message.content, str):
        content = message.content
    else:
        content = tuple(block for part in message.content if (block := _block(part)) is not None)
    if role == "assistant":
        content = _with_calls(content, extras.get("tool_calls"))
    if not content and role != "tool":
        return None
    return Message(
        role=role,
        content=content,
        name=name,
        tool_call_id=message.tool_call_id,
        metadata=_object(message.metadata) if message.metadata else None,
    )


def _with_calls(content: str | tuple[Block, ...], calls: object) -> str | tuple[Block, ...]:
    """Add the entries of a `tool_calls` list that are not there as blocks already."""
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        return content
    blocks = (TextBlock(text=content),) if isinstance(content, str) and content else ()
    known: tuple[Block, ...] = blocks if isinstance(content, str) else content
    ids = {block.id for block in known if isinstance(block, ToolCallBlock)}
    found = [call for entry in calls if (call := _call(entry)) is not None and call.id not in ids]
    return (*known, *found) if found else content


def _call(entry: object) -> ToolCallBlock | None:
    """Return a call of a `tool_calls` list: flat, with `function` inside, or with the name under `tool`."""
    fields = plain(entry)
    if not isinstance(fields, dict):
        return None
    inner = fields.get("function")
    inner = inner if isinstance(inner, dict) else fields
    name = inner.get("name") or fields.get("tool")
    call_id = fields.get("id") or fields.get("tool_call_id")
    if not isinstance(name, str) or not isinstance(call_id, str):
        return None
    return _tool_call(call_id, name, inner.get("arguments", inner.get("input")))


def _tool_call(call_id: str, name: str, given: JsonValue) -> ToolCallBlock:
    if isinstance(given, dict) and isinstance(raw := given.get(RAW_ARGUMENTS), str):
        return ToolCallBlock(id=call_id, name=name, input=raw, problem=_text(given.get(ARGUMENTS_ERROR)))
    if isinstance(given, str):
        return _parsed_call(call_id, name, given)
    return ToolCallBlock(id=call_id, name=name, input=given if isinstance(given, dict) else {})


def _parsed_call(call_id: str, name: str, text: str) -> ToolCallBlock:
    try:
        value: JsonValue = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return ToolCallBlock(id=call_id, name=name, input=value)
    return ToolCallBlock(id=call_id, name=name, input=text, problem="the arguments are no JSON object")


def _block(part: kernel.ContentBlockUnion) -> Block | None:
    made: Block | None = None
    match part.type:
        case "text":
            made = TextBlock(text=part.text)
        case "thinking":
            made = ThinkingBlock(thinking=part.thinking)
        case "reasoning":
            text = _reasoning_text(part.content) or _reasoning_text(part.summary)
            made = ThinkingBlock(thinking=text) if text else None
        case "tool_call":
            made = _tool_call(part.id, part.name, plain(part.input))
        case "tool_result":
            is_error = bool((part.model_extra or {}).get("is_error"))
            made = ToolResultBlock(tool_call_id=part.tool_call_id, output=plain(part.output), is_error=is_error)
        case "image":
            made = ImageBlock(source=_object(part.source))
    return made


def _reasoning_text(parts: Sequence[object]) -> str:
    texts = [part if isinstance(part, str) else _object(part).get("text") for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def _tool(tool: kernel.ToolSpec) -> ToolSpec:
    return ToolSpec(name=tool.name, description=tool.description, parameters=_object(tool.parameters))


def _format(chosen: kernel.ResponseFormat | None) -> JsonObject | None:
    """Return `text.format` of the Responses API."""
    if chosen is None or chosen.type == "text":
        return None
    if chosen.type == "json":
        return {"type": "json_object"}
    schema = _object(chosen.json_schema)
    inner = schema.get("schema")
    named: JsonObject = schema if isinstance(inner, dict) else {"schema": schema}
    strict: JsonObject = {} if chosen.strict is None else {"strict": chosen.strict}
    return {"type": "json_schema", "name": "answer", **named, **strict}


def _choice(chosen: object) -> str | JsonObject | None:
    """Return a tool choice; the Chat Completions form with `function` inside is read too."""
    if not isinstance(chosen, Mapping):
        return _text(chosen)
    found = _object(chosen)
    inner = found.get("function")
    return {"type": "function", "name": inner["name"]} if isinstance(inner, dict) and "name" in inner else found


def plain(value: object) -> JsonValue:
    """Return a value as JSON knows it; what JSON has no form for becomes text."""
    dump = getattr(value, "model_dump", None)
    made: JsonValue = json.loads(json.dumps(dump() if callable(dump) else value, default=str))
    return made


def _object(value: object) -> JsonObject:
    made = plain(value)
    return made if isinstance(made, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _first_number(*values: object) -> float | None:
    return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)
