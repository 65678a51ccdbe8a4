"""What a gpt-oss model answered, as the Harmony messages it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from vllm_tui.accounting.harmony_types import (
    CALL,
    CONSTRAIN,
    RAW,
    Exchange,
    HarmonyMessage,
    NotRenderable,
    PartName,
    texts_of,
    type_of,
)
from vllm_tui.domain.values import JsonObject, JsonValue


def output_messages(exchange: Exchange) -> list[HarmonyMessage]:
    """Return what the model answered as messages: the raw ones where known, else made from the output items."""
    if exchange.output_messages:
        return [raw_message(entry) for entry in exchange.output_messages]
    return items_as_answered(exchange.output)


def items_as_answered(items: Sequence[JsonObject]) -> list[HarmonyMessage]:
    """Return output items as the messages the model wrote; text before a call is commentary."""
    messages: list[HarmonyMessage] = []
    for number, item in enumerate(items):
        match type_of(item):
            case "reasoning":
                messages += [
                    HarmonyMessage("assistant", (text,), "reasoning", channel="analysis")
                    for text in texts_of(item.get("content"))
                ]
            case "message":
                is_preamble = any(type_of(later) == CALL for later in items[number + 1 :])
                messages.append(_written_text(item, "commentary" if is_preamble else "final"))
            case "function_call":
                messages.append(_written_call(f"functions.{item.get('name')}", item))
            case "mcp_call":
                messages.append(_written_call(f"{item.get('server_label')}.{item.get('name')}", item))
            case "web_search_call":
                messages.append(_search(item))
            case other:
                raise NotRenderable(f"How the model wrote an item of type {other!r} is not known.")
    return messages


def _written_text(item: JsonObject, channel: str) -> HarmonyMessage:
    """Return a message; one that the server could not parse is shown by it as raw tokens, markers included."""
    texts = tuple(texts_of(item.get("content")))
    if item.get("status") == "incomplete" and any("<|" in text for text in texts):
        return HarmonyMessage(RAW, texts, "history")
    return HarmonyMessage("assistant", texts, "history", channel=channel)


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
    texts = tuple(texts_of(entry.get("content")))
    part: PartName = "history"
    if role == "tool":
        part = "results"
    elif recipient is not None:
        part = "calls"
    elif channel == "analysis":
        part = "reasoning"
    name, kind = _optional(entry, "name"), _optional(entry, "content_type")
    return HarmonyMessage(role, texts, part, name, channel, recipient, kind)


def _written_call(recipient: str, item: JsonObject) -> HarmonyMessage:
    """Return a call as gpt-oss writes it: its arguments marked as constrained to JSON."""
    arguments = (str(item.get("arguments", "")),)
    kind = f"{CONSTRAIN}json"
    return HarmonyMessage("assistant", arguments, "calls", channel="commentary", recipient=recipient, content_type=kind)


def _optional(entry: Mapping[str, JsonValue], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None
