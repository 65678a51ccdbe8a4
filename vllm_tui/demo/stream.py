"""The events of one streamed response, in vLLM 0.32's order and shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vllm_tui.demo.objects import call_item, message_item, reasoning_item, text_part

if TYPE_CHECKING:
    from vllm_tui.demo.layout import Segment
    from vllm_tui.domain.values import JsonObject


@dataclass(frozen=True, slots=True)
class Beat:
    """An event and how many tokens are made before it leaves."""

    tokens: int
    event: JsonObject


def encode(event: JsonObject) -> bytes:
    """Return the event as vLLM frames it: event line, one data line, a blank line."""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode("utf-8", "replace")


def stream_beats(
    opening: JsonObject, segments: tuple[Segment, ...], final: JsonObject, *, is_harmony: bool
) -> Iterator[Beat]:
    """Yield all events of a response; `opening` and `final` are its first and last state."""
    for number, beat in enumerate(_all_beats(opening, segments, final, is_harmony=is_harmony)):
        beat.event["sequence_number"] = number
        yield beat


def _all_beats(
    opening: JsonObject, segments: tuple[Segment, ...], final: JsonObject, *, is_harmony: bool
) -> Iterator[Beat]:
    yield Beat(0, {"response": opening, "sequence_number": 0, "type": "response.created"})
    yield Beat(0, {"response": opening, "sequence_number": 0, "type": "response.in_progress"})
    trail = 0
    for index, segment in enumerate(segments):
        for beat in _item_beats(segment, index, is_harmony=is_harmony):
            yield Beat(beat.tokens + trail, beat.event)
            trail = 0
        trail = segment.trail
    yield Beat(trail, {"response": final, "sequence_number": 0, "type": "response.completed"})


def _item_beats(segment: Segment, index: int, *, is_harmony: bool) -> Iterator[Beat]:
    match segment.kind:
        case "reasoning":
            return _reasoning_beats(segment, index)
        case "message":
            return _message_beats(segment, index)
        case "call":
            return _call_beats(segment, index, is_harmony=is_harmony)


def _event(kind: str, index: int, **fields: JsonObject | str | int | list[JsonObject] | None) -> JsonObject:
    return {**fields, "output_index": index, "sequence_number": 0, "type": f"response.{kind}"}  # type: ignore[dict-item]


def _reasoning_beats(segment: Segment, index: int) -> Iterator[Beat]:
    place: dict[str, str | int] = {"content_index": 0, "item_id": segment.item_id}
    part: JsonObject = {"text": segment.text, "type": "reasoning_text"}
    opened = reasoning_item(segment.item_id, None, "in_progress")
    yield Beat(segment.lead + 1, _event("output_item.added", index, item=opened))
    yield Beat(0, _event("content_part.added", index, **place, part={"text": "", "type": "reasoning_text"}))
    for number, token in enumerate(segment.tokens):
        yield Beat(min(number, 1), _event("reasoning_text.delta", index, **place, delta=token))
    yield Beat(0, _event("reasoning_text.done", index, **place, text=segment.text))
    yield Beat(0, _event("content_part.done", index, **place, part=part))
    closed = reasoning_item(segment.item_id, segment.text, "completed")
    yield Beat(0, _event("output_item.done", index, item=closed))


def _message_beats(segment: Segment, index: int) -> Iterator[Beat]:
    place: dict[str, str | int] = {"content_index": 0, "item_id": segment.item_id}
    none: list[JsonObject] = []
    opened = message_item(segment.item_id, None, "in_progress")
    yield Beat(segment.lead + 1, _event("output_item.added", index, item=opened))
    yield Beat(0, _event("content_part.added", index, **place, part=text_part("", is_open=True)))
    for number, token in enumerate(segment.tokens):
        yield Beat(min(number, 1), _event("output_text.delta", index, **place, delta=token, logprobs=none))
    yield Beat(0, _event("output_text.done", index, **place, logprobs=none, text=segment.text))
    yield Beat(0, _event("content_part.done", index, **place, part=text_part(segment.text)))
    closed = message_item(segment.item_id, segment.text, "completed")
    yield Beat(0, _event("output_item.done", index, item=closed))


def _call_beats(segment: Segment, index: int, *, is_harmony: bool) -> Iterator[Beat]:
    kind = "function_call_arguments"
    opened = call_item(segment.item_id, segment.call_id, segment.name, "", "in_progress")
    yield Beat(segment.lead + 1, _event("output_item.added", index, item=opened))
    for number, token in enumerate(segment.tokens):
        yield Beat(min(number, 1), _event(f"{kind}.delta", index, delta=token, item_id=segment.item_id))
    done = _event(f"{kind}.done", index, arguments=segment.text, item_id=segment.item_id)
    yield Beat(0, done | {"name": segment.name})
    closed = call_item(segment.item_id, segment.call_id, segment.name, segment.text, "completed")
    if is_harmony:
        closed |= {"output_index": index, "sequence_number": -1}
    yield Beat(0, _event("output_item.done", index, item=closed))
