"""Reads what a response object says of itself: usage, status, facts. Never builds the SDK's types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vllm_tui.domain.response import FinishReason, ResponseStatus
from vllm_tui.domain.usage import Usage, weaker
from vllm_tui.domain.values import JsonObject, JsonValue

_EFFECTIVE = ("temperature", "top_p", "max_output_tokens", "truncation", "tool_choice", "reasoning")


def read_usage(payload: JsonValue) -> Usage | None:
    """Return the server's usage, None when it says nothing; all zeros (vLLM 0.10 with gpt-oss) say nothing."""
    if not isinstance(payload, dict):
        return None
    inputs, outputs = _count(payload.get("input_tokens")), _count(payload.get("output_tokens"))
    if not inputs and not outputs:
        return None
    read, made = _details(payload, "input_tokens_details"), _details(payload, "output_tokens_details")
    return Usage(
        input_tokens=inputs or None,
        output_tokens=outputs,
        total_tokens=None if inputs is None or outputs is None else inputs + outputs,
        reasoning_tokens=_count(made.get("reasoning_tokens")),
        cache_read_tokens=_count(read.get("cached_tokens")),
        cache_write_tokens=_count(read.get("cache_write_tokens")),
        tool_output_tokens=_count(made.get("tool_output_tokens")),
        input_tokens_per_turn=_counts(read.get("input_tokens_per_turn")),
        output_tokens_per_turn=_counts(made.get("output_tokens_per_turn")),
    )


def add_usage(first: Usage | None, second: Usage | None) -> Usage | None:
    """Return the usage of two rounds of one answer together, with a per-turn entry for each."""
    if first is None or second is None:
        return None
    return Usage(
        input_tokens=_sum(first.input_tokens, second.input_tokens),
        output_tokens=_sum(first.output_tokens, second.output_tokens),
        total_tokens=_sum(first.total_tokens, second.total_tokens),
        reasoning_tokens=_sum(first.reasoning_tokens, second.reasoning_tokens),
        cache_read_tokens=_sum(first.cache_read_tokens, second.cache_read_tokens),
        cache_write_tokens=_sum(first.cache_write_tokens, second.cache_write_tokens),
        tool_output_tokens=_sum(first.tool_output_tokens, second.tool_output_tokens),
        input_tokens_per_turn=_per_turn(first.input_tokens_per_turn, first.input_tokens)
        + _per_turn(second.input_tokens_per_turn, second.input_tokens),
        output_tokens_per_turn=_per_turn(first.output_tokens_per_turn, first.output_tokens)
        + _per_turn(second.output_tokens_per_turn, second.output_tokens),
        source=weaker(first.source, second.source),
    )


def read_status(final: Mapping[str, JsonValue], usage: Usage | None, limit: int) -> tuple[ResponseStatus, str | None]:
    """Return how the response ended and why it was cut (`max_output_tokens`, `content_filter`), if it was.

    vLLM ends a cut answer with `response.completed`; older ones even say status `completed`: then an item marked
    incomplete or an output that fills the limit tells.
    """
    details = final.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if final.get("status") == "incomplete" or reason:
        return "incomplete", str(reason or "max_output_tokens")
    if any(item.get("status") == "incomplete" for item in output_items(final)):
        return "incomplete", "max_output_tokens"
    effective = _count(final.get("max_output_tokens")) or limit
    if usage is not None and effective and (usage.output_tokens or 0) >= effective:
        return "incomplete", "max_output_tokens"
    return "completed", None


def finish_reason(status: ResponseStatus, reason: str | None, *, has_calls: bool) -> FinishReason:
    """Return the reason in the field's own words."""
    if status == "incomplete":
        return "content_filter" if reason == "content_filter" else "length"
    if status == "cancelled":
        return "cancelled"
    if status == "interrupted":
        return "interrupted"
    return "tool_calls" if has_calls else "stop"


def read_facts(final: Mapping[str, JsonValue], status: str, reason: str | None) -> JsonObject:
    """Return what is kept beside the blocks, under `vllm:` keys."""
    facts: JsonObject = {"vllm:status": status}
    if isinstance(final.get("id"), str) and final["id"]:
        facts["vllm:response_id"] = final["id"]
    if reason:
        facts["vllm:incomplete_reason"] = reason
    if isinstance(final.get("model"), str):
        facts["vllm:model"] = final["model"]
    if isinstance(final.get("metrics"), dict):
        facts["vllm:metrics"] = final["metrics"]
    effective = {name: final[name] for name in _EFFECTIVE if final.get(name) is not None}
    if effective:
        facts["vllm:effective"] = effective
    return facts


def output_items(final: Mapping[str, JsonValue]) -> Iterator[JsonObject]:
    """Yield the output items of a response object; junk entries are passed over."""
    output = final.get("output")
    for item in output if isinstance(output, list) else ():
        if isinstance(item, dict):
            yield item


def item_text(item: Mapping[str, JsonValue]) -> list[str]:
    """Return the texts of a message's parts in order, refusals included."""
    return [
        text
        for part in _parts(item.get("content"))
        for text in (part.get("text") if part.get("type") != "refusal" else part.get("refusal"),)
        if isinstance(text, str)
    ]


def item_thinking(item: Mapping[str, JsonValue]) -> str:
    """Return the text of a reasoning item: its content joined by newlines, else its summary."""
    for field in ("content", "summary"):
        texts = [part["text"] for part in _parts(item.get(field)) if isinstance(part.get("text"), str)]
        if texts:
            return "\n".join(str(text) for text in texts)
    return ""


def visible_text(text: str) -> str:
    """Return a message as shown: no newlines in front; one of white space alone is empty."""
    return text.lstrip("\r\n") if text.strip() else ""


def _parts(content: JsonValue) -> list[JsonObject]:
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}]
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _details(payload: JsonObject, name: str) -> JsonObject:
    details = payload.get(name)
    return details if isinstance(details, dict) else {}


def _count(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _counts(value: JsonValue) -> tuple[int, ...]:
    return tuple(n for n in value if isinstance(n, int)) if isinstance(value, list) else ()


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _per_turn(listed: tuple[int, ...], whole: int | None) -> tuple[int, ...]:
    return listed or (() if whole is None else (whole,))
