"""A Responses request as the Harmony messages vLLM makes of it (rules of vLLM 0.32)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vllm_tui.accounting.harmony_answers import output_messages
from vllm_tui.accounting.harmony_types import (
    BUILT_IN,
    CALL,
    EFFORTS,
    DeveloperText,
    Exchange,
    HarmonyMessage,
    Namespace,
    NotRenderable,
    ServerFacts,
    SystemText,
    texts_of,
    type_of,
)
from vllm_tui.domain.values import JsonObject, JsonValue


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
        calls = {str(item.get("call_id")): str(item.get("name")) for item in exchange.output if type_of(item) == CALL}
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
    return str(tool.get("server_label")) if type_of(tool) == "mcp" else type_of(tool)


def _functions(body: Mapping[str, JsonValue]) -> tuple[JsonObject, ...] | None:
    """Return the functions; None when there is nothing but built-in tools, which go into the system message."""
    tools = _tools(body)
    if all(type_of(tool) in BUILT_IN or type_of(tool) == "mcp" for tool in tools):
        return None
    for tool in tools:
        if type_of(tool) != "function" and type_of(tool) not in BUILT_IN:
            raise NotRenderable(f"The server takes no tool of type {type_of(tool)!r} with this model.")
    return tuple(tool for tool in tools if type_of(tool) == "function")


def _namespaces(body: Mapping[str, JsonValue], facts: ServerFacts) -> tuple[Namespace, ...]:
    wanted = {BUILT_IN[_tool_type(tool)] for tool in _tools(body) if _tool_type(tool) in BUILT_IN}
    offered = {namespace.name: namespace for namespace in facts.tool_namespaces}
    order = ("browser", "python", "container")
    return tuple(offered[name] for name in order if name in wanted and name in offered)


def _item_messages(item: JsonObject, calls: dict[str, str], facts: ServerFacts) -> list[HarmonyMessage]:
    match type_of(item):
        case "message":
            return _message_item(item, facts)
        case "function_call":
            calls[str(item.get("call_id"))] = str(item.get("name"))
            return [_call(str(item.get("name")), str(item.get("arguments", "")))]
        case "function_call_output":
            return [_result(item, calls)]
        case "reasoning":
            text = "\n".join(texts_of(item.get("content")))
            return (
                [HarmonyMessage("assistant", (text,), "reasoning", channel="analysis")]
                if texts_of(item.get("content"))
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
    texts = (content,) if isinstance(content, str) else tuple(texts_of(content))
    channel = "final" if role == "assistant" else None
    return [HarmonyMessage(role, texts, "history", channel=channel)]


def _result(item: JsonObject, calls: Mapping[str, str]) -> HarmonyMessage:
    call_id = str(item.get("call_id"))
    if call_id not in calls:
        raise NotRenderable(f"No call with the id {call_id} comes before its result.")
    output = item.get("output")
    text = output if isinstance(output, str) else "".join(texts_of(output))
    name = f"functions.{calls[call_id]}"
    return HarmonyMessage("tool", (text,), "results", name=name, channel="commentary", recipient="assistant")


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


def _call(name: str, arguments: str) -> HarmonyMessage:
    recipient = f"functions.{name}"
    return HarmonyMessage(
        "assistant", (arguments,), "calls", channel="commentary", recipient=recipient, content_type="json"
    )


def _flat_text(content: JsonValue) -> str | None:
    if isinstance(content, str):
        return content
    texts = texts_of(content)
    return "".join(texts) if texts else None
