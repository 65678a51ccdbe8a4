"""A Responses request as what vLLM's `/tokenize` takes: chat messages, merged as the server merges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vllm_tui.domain.values import JsonObject, JsonValue


def tokenize_body(body: Mapping[str, JsonValue]) -> JsonObject:
    """Return the body for POST /tokenize that counts a Responses request of an ordinary model.

    The server adds `enable_thinking` and `reasoning_effort` for an effort; so does this.
    """
    result: JsonObject = {"messages": [*chat_messages(body)], "add_generation_prompt": True}
    if isinstance(body.get("model"), str):
        result["model"] = body["model"]
    tools = [_chat_tool(tool) for tool in _objects(body.get("tools")) if tool.get("type") == "function"]
    if tools:
        result["tools"] = [*tools]
    keywords = _template_keywords(body)
    if keywords:
        result["chat_template_kwargs"] = keywords
    return result


def chat_messages(body: Mapping[str, JsonValue]) -> list[JsonObject]:
    """Return the request as chat messages; reasoning, calls and text in a row become one assistant message."""
    messages: list[JsonObject] = []
    instructions, items = body.get("instructions"), body.get("input", "")
    if isinstance(instructions, str) and instructions:
        messages.append({"role": "system", "content": instructions})
    if isinstance(items, str):
        return [*messages, {"role": "user", "content": items}]
    for item in _objects(items):
        _add_item(messages, item)
    return messages


def text_parts(body: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Yield every text of a request with the part of the prompt it belongs to."""
    instructions = body.get("instructions")
    if isinstance(instructions, str) and instructions:
        yield "instructions", instructions
    for tool in _objects(body.get("tools")):
        yield "tools", _compact(tool)
    items = body.get("input", "")
    if isinstance(items, str):
        yield "question", items
        return
    entries = [*_objects(items)]
    users = [number for number, item in enumerate(entries) if item.get("role") == "user"]
    for number, item in enumerate(entries):
        yield from _item_texts(item, is_question=bool(users) and number == users[-1])


def _item_texts(item: JsonObject, *, is_question: bool) -> Iterator[tuple[str, str]]:
    match item.get("type") or "message":
        case "function_call":
            yield "calls", f"{item.get('name')} {item.get('arguments')}"
        case "function_call_output":
            output = item.get("output")
            yield "results", output if isinstance(output, str) else "".join(_texts(output))
        case "reasoning":
            yield "reasoning", "\n".join(_texts(item.get("content")))
        case _:
            part = "instructions" if item.get("role") in ("system", "developer") else "history"
            yield "question" if is_question else part, "\n".join(_texts(item.get("content")))


def _add_item(messages: list[JsonObject], item: JsonObject) -> None:
    last = messages[-1] if messages and messages[-1].get("role") == "assistant" else None
    match item.get("type") or "message":
        case "function_call":
            _add_call(messages, last, item)
        case "function_call_output":
            output = item.get("output")
            messages.append({"role": "tool", "content": output, "tool_call_id": item.get("call_id")})
        case "reasoning":
            _merge(messages, last, "reasoning", next(iter(_texts(item.get("content"))), ""))
        case _ if item.get("role") == "assistant":
            _merge(messages, last, "content", next(iter(_texts(item.get("content"))), ""))
        case _:
            messages.append({"role": item.get("role"), "content": _chat_content(item.get("content"))})


def _add_call(messages: list[JsonObject], last: JsonObject | None, item: JsonObject) -> None:
    call: JsonObject = {
        "id": item.get("call_id"),
        "type": "function",
        "function": {"name": item.get("name"), "arguments": item.get("arguments") or "{}"},
    }
    calls = last.get("tool_calls") if last is not None else None
    if isinstance(calls, list):
        calls.append(call)
    elif last is not None:
        last["tool_calls"] = [call]
    else:
        messages.append({"role": "assistant", "tool_calls": [call]})


def _merge(messages: list[JsonObject], last: JsonObject | None, key: str, text: str) -> None:
    if last is not None and last.get(key) is None:
        last[key] = text
    else:
        messages.append({"role": "assistant", key: text})


def _chat_content(content: JsonValue) -> JsonValue:
    if not isinstance(content, list):
        return content
    return [{"type": "text", "text": text} for text in _texts(content)]


def _chat_tool(tool: JsonObject) -> JsonObject:
    keys = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {key: tool[key] for key in keys if tool.get(key) is not None}}


def _template_keywords(body: Mapping[str, JsonValue]) -> JsonObject:
    given = body.get("chat_template_kwargs")
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    derived: JsonObject = {} if effort is None else {"reasoning_effort": effort, "enable_thinking": effort != "none"}
    return {**derived, **(given if isinstance(given, dict) else {})}


def _objects(values: JsonValue) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _texts(content: JsonValue) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(part.get("text") or "") for part in _objects(content)]


def _compact(value: JsonValue) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
