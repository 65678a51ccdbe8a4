"""A Responses request as the Harmony messages vLLM makes of it (rules of vLLM 0.32)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vllm_tui.domain.values import JsonObject, JsonValue

PartName = Literal["system", "instructions", "tools", "history", "reasoning", "calls", "results", "question", "opening"]
"""What a token of the prompt is there for; `opening` is the header the model continues."""

Channel = Literal["analysis", "commentary", "final"]
IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
EFFORTS = ("low", "medium", "high")
BUILT_IN = {"web_search_preview": "browser", "code_interpreter": "python", "container": "container"}
"""Built-in tool types and the name under which the server's tool server must offer them."""


CONSTRAIN = "<|constrain|>"
RAW = "raw"
"""The role of an answer that was no Harmony message: its text is the raw tokens, special ones by name."""


class NotRenderable(Exception):
    """vLLM would refuse this request, or its prompt depends on something only the server knows."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Tools of one name space; each tool is an object with `name`, `description` and `parameters`."""

    name: str
    description: str | None = None
    tools: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemText:
    """The system message: who the model is, the date, the effort, built-in tools, the channels."""

    date: str
    identity: str = IDENTITY
    effort: str = "medium"
    namespaces: tuple[Namespace, ...] = ()


@dataclass(frozen=True, slots=True)
class DeveloperText:
    """The developer message: instructions and the functions on offer."""

    instructions: str | None = None
    functions: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class HarmonyMessage:
    """One message of the prompt; `content` is texts in a row, or the structured first messages."""

    role: str
    content: tuple[str, ...] | SystemText | DeveloperText
    part: PartName
    name: str | None = None
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a client can't see: the server's date, its identity line, its tools and one switch.

    `tool_namespaces` are those of its tool server, by name (`python`, `browser`, `container`); empty without one.
    `system_instructions` is VLLM_GPT_OSS_HARMONY_SYSTEM_INSTRUCTIONS.
    """

    date: str
    identity: str = IDENTITY
    tool_namespaces: tuple[Namespace, ...] = ()
    system_instructions: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier request and what came of it, for `previous_response_id`.

    `output` is the response's `output`; `output_messages` the raw messages where the server sent them
    (`enable_response_messages`). `earlier` are the exchanges before it, by response id.
    """

    body: JsonObject
    output: tuple[JsonObject, ...]
    output_messages: tuple[JsonObject, ...] = ()
    earlier: Mapping[str, Exchange] | None = None


def request_messages(
    body: Mapping[str, JsonValue], facts: ServerFacts, earlier: Mapping[str, Exchange] | None = None
) -> list[HarmonyMessage]:
    """Return the messages of a request body, reasoning already dropped where the server drops it.

    Raises NotRenderable for what the server refuses and for a previous response that is not in `earlier`.
    """
    return drop_reasoning(mark_question(_all_messages(body, facts, earlier or {})))


def _all_messages(
    body: Mapping[str, JsonValue], facts: ServerFacts, earlier: Mapping[str, Exchange]
) -> list[HarmonyMessage]:
    items = body.get("input", "")
    previous = body.get("previous_response_id")
    calls: dict[str, str] = {}
    if isinstance(previous, str):
        exchange = earlier.get(previous)
        if exchange is None:
            raise NotRenderable(f"The earlier response {previous} is not known here.")
        # The server keeps the first request's preamble: new instructions and tools are not in the prompt.
        messages = _all_messages(exchange.body, facts, exchange.earlier or earlier)
        messages += output_messages(exchange)
        calls = {str(item.get("call_id")): str(item.get("name")) for item in exchange.output if _type(item) == _CALL}
    else:
        messages, items = _preamble(body, facts)
    if isinstance(items, str):
        return [*messages, HarmonyMessage("user", (items,), "question")]
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            messages += _item_messages(item, calls, facts)
    return messages


def _preamble(body: Mapping[str, JsonValue], facts: ServerFacts) -> tuple[list[HarmonyMessage], JsonValue]:
    items = body.get("input", "")
    instructions = body.get("instructions")
    if instructions is None and isinstance(items, list):
        instructions, items = _peel_instructions(items)
    text = instructions if isinstance(instructions, str) else None
    functions = _functions(body)
    identity = f"{facts.identity}\n{text}" if text and facts.system_instructions else facts.identity
    system = SystemText(facts.date, identity, _effort(body), _namespaces(body, facts))
    messages = [HarmonyMessage("system", system, "system")]
    developer = None if facts.system_instructions else text
    # Empty instructions still print their heading, but only above tools.
    if developer or functions is not None:
        messages.append(HarmonyMessage("developer", DeveloperText(developer, functions or ()), "instructions"))
    return messages, items


def _peel_instructions(items: list[JsonValue]) -> tuple[str | None, list[JsonValue]]:
    first = items[0] if items else None
    if not isinstance(first, dict) or first.get("role") not in ("system", "developer"):
        return None, items
    return _flat_text(first.get("content")), items[1:]


def _effort(body: Mapping[str, JsonValue]) -> str:
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    if effort is None:
        return "medium"
    if effort not in EFFORTS:
        raise NotRenderable(f"The effort {effort!r} is none of {', '.join(EFFORTS)}.")
    return str(effort)


def _tools(body: Mapping[str, JsonValue]) -> list[JsonObject]:
    tools = body.get("tools")
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _tool_type(tool: JsonObject) -> str:
    """Return the type under which the server looks for a tool: an MCP tool by its label."""
    return str(tool.get("server_label")) if _type(tool) == "mcp" else _type(tool)


def _functions(body: Mapping[str, JsonValue]) -> tuple[JsonObject, ...] | None:
    """Return the functions; None when there is nothing but built-in tools, which go into the system message."""
    tools = _tools(body)
    if all(_type(tool) in BUILT_IN or _type(tool) == "mcp" for tool in tools):
        return None
    for tool in tools:
        if _type(tool) != "function" and _type(tool) not in BUILT_IN:
            raise NotRenderable(f"The server takes no tool of type {_type(tool)!r} with this model.")
    return tuple(tool for tool in tools if _type(tool) == "function")


def _namespaces(body: Mapping[str, JsonValue], facts: ServerFacts) -> tuple[Namespace, ...]:
    wanted = {BUILT_IN[_tool_type(tool)] for tool in _tools(body) if _tool_type(tool) in BUILT_IN}
    offered = {namespace.name: namespace for namespace in facts.tool_namespaces}
    order = ("browser", "python", "container")
    return tuple(offered[name] for name in order if name in wanted and name in offered)


_CALL = "function_call"


def _item_messages(item: JsonObject, calls: dict[str, str], facts: ServerFacts) -> list[HarmonyMessage]:
    match _type(item):
        case "message":
            return _message_item(item, facts)
        case "function_call":
            calls[str(item.get("call_id"))] = str(item.get("name"))
            return [_call(str(item.get("name")), str(item.get("arguments", "")))]
        case "function_call_output":
            return [_result(item, calls)]
        case "reasoning":
            text = "\n".join(_texts(item.get("content")))
            return (
                [HarmonyMessage("assistant", (text,), "reasoning", channel="analysis")]
                if _texts(item.get("content"))
                else []
            )
        case other:
            raise NotRenderable(f"The server takes no input item of type {other!r} with this model.")


def _message_item(item: JsonObject, facts: ServerFacts) -> list[HarmonyMessage]:
    role, content = str(item.get("role")), item.get("content")
    if role in ("system", "developer"):
        text = _flat_text(content)
        if not text:
            return []
        if role == "system" and facts.system_instructions:
            system = SystemText(facts.date, f"{facts.identity}\n{text}")
            return [HarmonyMessage("system", system, "instructions")]
        return [HarmonyMessage("developer", DeveloperText(text), "instructions")]
    texts = (content,) if isinstance(content, str) else tuple(_texts(content))
    channel = "final" if role == "assistant" else None
    return [HarmonyMessage(role, texts, "history", channel=channel)]


def _call(name: str, arguments: str) -> HarmonyMessage:
    recipient = f"functions.{name}"
    return HarmonyMessage(
        "assistant", (arguments,), "calls", channel="commentary", recipient=recipient, content_type="json"
    )


def _written_call(recipient: str, item: JsonObject) -> HarmonyMessage:
    """Return a call as gpt-oss writes it: its arguments marked as constrained to JSON."""
    call = _call("", str(item.get("arguments", "")))
    return replace(call, recipient=recipient, content_type=f"{CONSTRAIN}json")


def _result(item: JsonObject, calls: Mapping[str, str]) -> HarmonyMessage:
    call_id = str(item.get("call_id"))
    if call_id not in calls:
        raise NotRenderable(f"No call with the id {call_id} comes before its result.")
    output = item.get("output")
    text = output if isinstance(output, str) else "".join(_texts(output))
    name = f"functions.{calls[call_id]}"
    return HarmonyMessage("tool", (text,), "results", name=name, channel="commentary", recipient="assistant")


def output_messages(exchange: Exchange) -> list[HarmonyMessage]:
    """Return what the model answered as messages: the raw ones where known, else made from the output items."""
    if exchange.output_messages:
        return [raw_message(entry) for entry in exchange.output_messages]
    return items_as_answered(exchange.output)


def items_as_answered(items: Sequence[JsonObject]) -> list[HarmonyMessage]:
    """Return output items as the messages the model wrote; text before a call is commentary."""
    messages: list[HarmonyMessage] = []
    for number, item in enumerate(items):
        match _type(item):
            case "reasoning":
                messages += [
                    HarmonyMessage("assistant", (text,), "reasoning", channel="analysis")
                    for text in _texts(item.get("content"))
                ]
            case "message":
                is_preamble = any(_type(later) == _CALL for later in items[number + 1 :])
                channel = "commentary" if is_preamble else "final"
                texts = tuple(_texts(item.get("content")))
                is_raw = item.get("status") == "incomplete" and any("<|" in text for text in texts)
                messages.append(
                    HarmonyMessage(
                        RAW if is_raw else "assistant", texts, "history", channel=None if is_raw else channel
                    )
                )
            case "function_call":
                messages.append(_written_call(f"functions.{item.get('name')}", item))
            case "mcp_call":
                messages.append(_written_call(f"{item.get('server_label')}.{item.get('name')}", item))
            case "web_search_call":
                messages.append(_search(item))
            case other:
                raise NotRenderable(f"How the model wrote an item of type {other!r} is not known.")
    return messages


def _search(item: JsonObject) -> HarmonyMessage:
    """Return the browser call behind an item; the server shows one of its arguments, with a prefix."""
    action = item.get("action")
    shown = action if isinstance(action, dict) else {}
    kinds = {"search": ("search", "query"), "open_page": ("open", "url"), "find_in_page": ("find", "pattern")}
    name, key = kinds.get(str(shown.get("type")), ("search", "query"))
    arguments = json.dumps({key: str(shown.get(key) or "").removeprefix("cursor:")}, ensure_ascii=False)
    return HarmonyMessage(
        "assistant", (arguments,), "calls", channel="analysis", recipient=f"browser.{name}", content_type="code"
    )


def raw_message(entry: Mapping[str, JsonValue]) -> HarmonyMessage:
    """Return one entry of `output_messages` as the server sends it with `enable_response_messages`."""
    role, channel = str(entry.get("role")), _optional(entry, "channel")
    recipient = _optional(entry, "recipient")
    texts = tuple(_texts(entry.get("content")))
    part: PartName = "history"
    if role == "tool":
        part = "results"
    elif recipient is not None:
        part = "calls"
    elif channel == "analysis":
        part = "reasoning"
    name, kind = _optional(entry, "name"), _optional(entry, "content_type")
    return HarmonyMessage(role, texts, part, name, channel, recipient, kind)


def mark_question(messages: list[HarmonyMessage]) -> list[HarmonyMessage]:
    """Return the messages with the newest user message named `question`."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            return [*messages[:index], replace(messages[index], part="question"), *messages[index + 1 :]]
    return messages


def drop_reasoning(messages: list[HarmonyMessage]) -> list[HarmonyMessage]:
    """Return the messages without the reasoning that came before the last final answer."""
    finals = [index for index, entry in enumerate(messages) if entry.role == "assistant" and entry.channel == "final"]
    last = finals[-1] if finals else -1
    return [entry for index, entry in enumerate(messages) if index >= last or entry.channel != "analysis"]


def _type(item: Mapping[str, JsonValue]) -> str:
    return str(item.get("type") or "message")


def _optional(entry: Mapping[str, JsonValue], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None


def _texts(content: JsonValue) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [str(part.get("text") or "") for part in content if isinstance(part, dict)]


def _flat_text(content: JsonValue) -> str | None:
    if isinstance(content, str):
        return content
    texts = _texts(content)
    return "".join(texts) if texts else None
