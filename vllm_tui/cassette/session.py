"""What a cassette tells of the session it was recorded in: the questions, the model, and what tools answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_tui.cassette.cassette import Cassette
    from vllm_tui.domain.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call that was answered in the recording: what the tool got and gave back."""

    name: str
    arguments: str
    output: str


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """The questions in the order they were asked, the first model and effort, the tools' specs and their answers."""

    questions: tuple[str, ...]
    model: str = ""
    effort: str | None = None
    tools: tuple[JsonObject, ...] = ()
    calls: tuple[RecordedCall, ...] = ()


def read_session(cassette: Cassette) -> RecordedSession:
    """Return what the recorded requests tell; a question that was sent several times in a row counts once."""
    questions: list[str] = []
    calls: dict[tuple[str, str], RecordedCall] = {}
    tools: dict[str, JsonObject] = {}
    model, effort = "", None
    last: object = None
    for body in _bodies(cassette):
        model = model or str(body.get("model") or "")
        effort = effort or _effort(body)
        items = _items(body.get("input"))
        for tool in _objects(body.get("tools")):
            tools.setdefault(str(tool.get("name")), tool)
        for call in _calls(items):
            calls.setdefault((call.name, call.arguments), call)
        question = _question(items)
        if question is not None and items != last:
            questions.append(question)
        last = items
    return RecordedSession(tuple(questions), model, effort, tuple(tools.values()), tuple(calls.values()))


def _bodies(cassette: Cassette) -> Iterator[JsonObject]:
    for exchange in cassette.exchanges:
        if not exchange.request.url.partition("?")[0].endswith("/responses"):
            continue
        try:
            body = json.loads(exchange.request.body)
        except (ValueError, RecursionError):
            continue
        if isinstance(body, dict):
            yield body


def _effort(body: JsonObject) -> str | None:
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return effort if isinstance(effort, str) else None


def _items(value: JsonValue) -> list[JsonObject]:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    return _objects(value)


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _question(items: list[JsonObject]) -> str | None:
    """Return the text of the last item when it is a question of the person's."""
    if not items or items[-1].get("role") != "user":
        return None
    content = items[-1].get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text")) for part in _objects(content) if isinstance(part.get("text"), str)) or None


def _calls(items: list[JsonObject]) -> Iterator[RecordedCall]:
    asked = {str(item.get("call_id")): item for item in items if item.get("type") == "function_call"}
    for item in items:
        call = asked.get(str(item.get("call_id")))
        if item.get("type") != "function_call_output" or call is None:
            continue
        output = item.get("output")
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        yield RecordedCall(str(call.get("name")), str(call.get("arguments")), text)
