"""The events of a recorded stream with their times, and what is odd about them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vllm_tui.cassette.frames import Frame, read_frames

if TYPE_CHECKING:
    from vllm_tui.cassette.exchange import Exchange
    from vllm_tui.domain.values import JsonObject, JsonValue

Flag = Literal["unknown_type", "sequence_gap", "not_json", "name_differs", "no_done", "text_differs", "after_end"]
"""What is odd about an event. `no_done` marks the opening event of what never closed, `text_differs` the event
whose whole text is not the sum of the deltas before it."""

_PARTS = ("output_item", "content_part", "reasoning_part", "reasoning_summary_part")
_TEXTS = (
    "output_text",
    "reasoning_text",
    "reasoning_summary_text",
    "refusal",
    "function_call_arguments",
    "custom_tool_call_input",
    "mcp_call_arguments",
    "code_interpreter_call_code",
)
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled", "error")
KNOWN_TYPES = frozenset(
    {"response.created", "response.in_progress", "response.queued", "response.output_text.annotation.added", *_ENDS}
    | {f"response.{part}.{state}" for part in _PARTS for state in ("added", "done")}
    | {f"response.{text}.{state}" for text in _TEXTS for state in ("delta", "done")}
    | {f"response.mcp_call.{state}" for state in ("in_progress", "completed", "failed")}
    | {f"response.web_search_call.{state}" for state in ("in_progress", "searching", "completed")}
    | {f"response.code_interpreter_call.{state}" for state in ("in_progress", "interpreting", "completed")}
    | {f"response.file_search_call.{state}" for state in ("in_progress", "searching", "completed")}
)
"""Event types of the Responses API as vLLM 0.10 to 0.32 and OpenAI's own server send them."""


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event: `at` and `since_last` in seconds, `size` in bytes on the wire, `data` its JSON text as it came."""

    number: int
    at: float
    since_last: float
    type: str
    size: int
    sequence_number: int | None
    data: str
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """All events of a stream; `is_finished` says whether a terminal event came, `rest` what followed no blank line."""

    events: tuple[TimelineEvent, ...]
    is_finished: bool
    rest: str = ""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """All kinds of oddities found, each once, in the order of their first place."""
        return tuple(dict.fromkeys(flag for event in self.events for flag in event.flags))


@dataclass
class TimelineReader:
    """Follows a stream: open parts, joined deltas, sequence numbers. `flags` stand beside `events`, which have none."""

    events: list[TimelineEvent] = field(default_factory=list)
    flags: list[list[Flag]] = field(default_factory=list)
    open_at: dict[tuple[str, str], int] = field(default_factory=dict)
    joined: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    expected: int | None = None
    is_finished: bool = False

    def take(self, frame: Frame, at: float, since_last: float) -> None:
        """Take the next event, `at` and `since_last` in seconds."""
        flags: list[Flag] = []
        body = _object(frame.data)
        if body is None:
            flags.append("not_json")
        kind = str(body.get("type") or frame.name) if body else frame.name
        if body and frame.name and frame.name != kind:
            flags.append("name_differs")
        if kind not in KNOWN_TYPES:
            flags.append("unknown_type")
        if self.is_finished:
            flags.append("after_end")
        number = body.get("sequence_number") if body else None
        sequence = number if isinstance(number, int) and not isinstance(number, bool) else None
        if sequence is not None:
            if self.expected is not None and sequence != self.expected:
                flags.append("sequence_gap")
            self.expected = sequence + 1
        self.flags.append(flags)
        if body is not None:
            self._follow(kind, body, len(self.events), flags)
        self.events.append(TimelineEvent(len(self.events), at, since_last, kind, frame.size, sequence, frame.data))

    def _follow(self, kind: str, body: JsonObject, position: int, flags: list[Flag]) -> None:
        stem, _, state = kind.removeprefix("response.").rpartition(".")
        key = stem, f"{_id_of(body)}/{body.get('output_index')}/{body.get('content_index', body.get('summary_index'))}"
        if kind in _ENDS:
            self.is_finished = True
            return
        match state:
            case "added" if stem in _PARTS:
                self.open_at[key] = position
            case "delta" if stem in _TEXTS:
                self.open_at.setdefault(key, position)
                self.joined.setdefault(key, []).append(str(body.get("delta") or ""))
            case "done":
                self.open_at.pop(key, None)
                pieces = self.joined.pop(key, None)
                whole = _whole_text(body)
                if pieces is not None and whole is not None and "".join(pieces) != whole:
                    flags.append("text_differs")

    def flags_at(self, position: int) -> tuple[Flag, ...]:
        """Return what is odd about an event as far as is known; parts still open count once the stream has ended."""
        unclosed: tuple[Flag, ...] = ("no_done",) if self.is_finished and position in self.open_at.values() else ()
        return (*self.flags[position], *unclosed)

    def developed(self, rest: str) -> Timeline:
        """Return the whole timeline; `rest` is what followed no blank line."""
        for position in self.open_at.values():
            self.flags[position].append("no_done")
        events = (
            TimelineEvent(
                event.number,
                event.at,
                event.since_last,
                event.type,
                event.size,
                event.sequence_number,
                event.data,
                tuple(flags),
            )
            for event, flags in zip(self.events, self.flags, strict=True)
        )
        return Timeline(tuple(events), self.is_finished, rest)


def read_timeline(exchange: Exchange) -> Timeline:
    """Return the events of a recorded stream; an event has the time of the chunk that finished it."""
    reader, last = TimelineReader(), exchange.answered_at or 0.0
    frames, rest = read_frames(exchange.chunks)
    for at, frame in frames:
        reader.take(frame, at, max(0.0, at - last))
        last = at
    return reader.developed(rest)


def is_stream(exchange: Exchange) -> bool:
    """Return whether the answer is an event stream."""
    return exchange.header("content-type").partition(";")[0].strip().lower() == "text/event-stream"


def _object(text: str) -> JsonObject | None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _id_of(body: JsonObject) -> JsonValue:
    item = body.get("item")
    return item.get("id") if isinstance(item, dict) else body.get("item_id")


def _whole_text(body: JsonObject) -> str | None:
    for name in ("text", "arguments", "input", "code", "refusal"):
        value = body.get(name)
        if isinstance(value, str):
            return value
    return None
