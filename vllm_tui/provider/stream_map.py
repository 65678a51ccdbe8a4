"""Maps a server's stream to our events, by arrival order alone.

Facts of servers that this file lives with: item ids, call ids and indexes may be empty, equal, shifted or change
between events (vLLM 0.10 to 0.29), opening events may be missing, the final object may lack what was streamed or
hold calls that were not. So the newest opened item is the one that grows, and the final object is used only for
what it alone knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockKind, BlockStarted, Notice, StreamEvent
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.provider.arguments import read_arguments
from vllm_tui.provider.response_map import item_text, item_thinking, output_items, visible_text

DELTA_KINDS: dict[str, BlockKind] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_text.delta": "thinking",
    "response.reasoning_summary_text.delta": "thinking",
    "response.reasoning.delta": "thinking",
    "response.function_call_arguments.delta": "tool_call",
    "response.custom_tool_call_input.delta": "tool_call",
}
_DONE_FIELDS = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("text", "refusal"),
    "response.reasoning_text.done": ("thinking", "text"),
    "response.reasoning_summary_text.done": ("thinking", "text"),
    "response.function_call_arguments.done": ("tool_call", "arguments"),
    "response.custom_tool_call_input.done": ("tool_call", "input"),
}
_PART_ADDED = ("response.content_part.added", "response.reasoning_part.added", "response.reasoning_summary_part.added")
_ITEM_KINDS: dict[str, BlockKind] = {
    "message": "text",
    "reasoning": "thinking",
    "function_call": "tool_call",
    "custom_tool_call": "tool_call",
}
TERMINAL = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class _Item:
    """A block under construction; it has an index once something of it can be seen."""

    __slots__ = ("call_id", "index", "is_closed", "item_id", "kind", "name", "pieces", "waiting")

    def __init__(self, kind: BlockKind, item_id: str = "", name: str = "", call_id: str = "") -> None:
        self.kind = kind
        self.item_id = item_id
        self.name = name
        self.call_id = call_id
        self.index: int | None = None
        self.pieces: list[str] = []
        self.waiting = ""
        self.is_closed = False

    @property
    def text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


class StreamFolder:
    """Folds one response's events; `blocks` is what stands, by index."""

    def __init__(
        self, schemas: Mapping[str, JsonObject], *, first_index: int = 0, continued: tuple[int, str] | None = None
    ) -> None:
        """Start at `first_index`; `continued` is the index and text of a block that the first text goes on with."""
        self._schemas = schemas
        self._next_index = first_index
        self._items: list[_Item] = []
        self._current: _Item | None = None
        self._by_id: dict[str, _Item] = {}
        self._continued = continued
        self.blocks: dict[int, Block] = {}
        self.has_items = False
        self.keeps_leading_space = False

    def feed(self, kind: str, payload: JsonObject) -> list[StreamEvent]:
        """Return the events that one server event causes; unknown ones cause none."""
        block_kind = DELTA_KINDS.get(kind)
        if block_kind is not None:
            delta = payload.get("delta")
            return self._grow(block_kind, payload, delta) if isinstance(delta, str) and delta else []
        if kind == "response.output_item.added":
            return self._open_item(payload.get("item"))
        if kind in _DONE_FIELDS:
            block_kind_name, field = _DONE_FIELDS[kind]
            return self._complete_text(block_kind_name, payload, payload.get(field))
        if kind == "response.output_item.done":
            return self._close_item(payload.get("item"))
        if kind in _PART_ADDED:
            return self._open_part()
        return []

    def finish(self, final: Mapping[str, JsonValue]) -> list[StreamEvent]:
        """Close what is open and take from the final object what was never streamed."""
        events = self._close_current()
        finals = list(output_items(final))
        if not finals:
            return events
        streamed = {kind: any(item.kind == kind for item in self._items) for kind in ("text", "thinking")}
        calls = [item for item in finals if _ITEM_KINDS.get(_text(item.get("type"))) == "tool_call"]
        unstreamed = self._match_calls(calls, events)
        if unstreamed:
            events += self._withdraw_json_message(finals)
        for item in finals:
            kind = _ITEM_KINDS.get(_text(item.get("type")))
            if (kind in streamed and not streamed[kind]) or any(item is other for other in unstreamed):
                events += self._whole_item(item)
        return events

    def whole(self, final: Mapping[str, JsonValue]) -> list[StreamEvent]:
        """Return the events of a reply that came in one piece."""
        return [event for item in output_items(final) for event in self._whole_item(item)]

    def content(self) -> tuple[Block, ...]:
        """Return the blocks in order, with open ones as far as they came."""
        for item in self._items:
            if item.index is not None and not item.is_closed:
                self.blocks[item.index] = self._block_of(item)
        return tuple(self.blocks[index] for index in sorted(self.blocks))

    @property
    def next_index(self) -> int:
        """The index a further block would get."""
        return self._next_index

    # opening and growing -------------------------------------------------------------------------------------

    def _open_item(self, raw: JsonValue) -> list[StreamEvent]:
        events = self._close_current()
        item = raw if isinstance(raw, dict) else {}
        kind = _ITEM_KINDS.get(_text(item.get("type")))
        self.has_items = True
        if kind is None:
            self._current = None
            return events
        opened = self._start(kind, _text(item.get("id")), _text(item.get("name")), _text(item.get("call_id")))
        if kind == "tool_call":
            events += self._show(opened)
        return events

    def _start(self, kind: BlockKind, item_id: str = "", name: str = "", call_id: str = "") -> _Item:
        item = _Item(kind, item_id, name, call_id)
        self._items.append(item)
        self._current = item
        if item_id:
            self._by_id[item_id] = item
        return item

    def _grow(self, kind: BlockKind, payload: JsonObject, delta: str) -> list[StreamEvent]:
        item = self._current
        if item is None or item.kind != kind or item.is_closed:
            return self._grow_other(kind, payload, delta)
        if item.index is None:
            return self._first_text(item, delta)
        item.pieces.append(delta)
        return [BlockDelta(item.index, kind, delta)]

    def _grow_other(self, kind: BlockKind, payload: JsonObject, delta: str) -> list[StreamEvent]:
        """Text for an item that is not the newest of its kind: a known one by its id, else a new one."""
        known = self._by_id.get(_text(payload.get("item_id")))
        if known is not None and known.kind == kind and known.index is not None and not known.is_closed:
            known.pieces.append(delta)
            return [BlockDelta(known.index, kind, delta)]
        events = self._close_current()
        item = self._start(kind, _text(payload.get("item_id")), _text(payload.get("name")))
        return events + (self._show(item) if kind == "tool_call" else []) + self._grow(kind, payload, delta)

    def _first_text(self, item: _Item, delta: str) -> list[StreamEvent]:
        """Hold back newlines in front; a message of white space alone never shows."""
        if item.kind == "text" and self._continued is not None:
            item.index, before = self._continued
            self._continued = None
            item.pieces = [before, delta]
            return [BlockDelta(item.index, item.kind, delta)]
        if item.kind == "text" and not self.keeps_leading_space:
            item.waiting += delta
            delta = visible_text(item.waiting)
            if not delta:
                return []
            item.waiting = ""
        events = self._show(item)
        assert item.index is not None
        item.pieces.append(delta)
        return [*events, BlockDelta(item.index, item.kind, delta)]

    def _show(self, item: _Item) -> list[StreamEvent]:
        item.index = self._next_index
        self._next_index += 1
        return [BlockStarted(item.index, item.kind, item.name or None, item.call_id or None)]

    def _open_part(self) -> list[StreamEvent]:
        item = self._current
        if item is None or item.is_closed or item.index is None or not item.pieces:
            return []
        if item.kind == "thinking":
            item.pieces.append("\n")
            return [BlockDelta(item.index, item.kind, "\n")]
        if item.kind == "text":
            events = self._close_current()
            self._start("text", item.item_id)
            return events
        return []

    # closing -------------------------------------------------------------------------------------------------

    def _complete_text(self, kind: str, payload: JsonObject, text: JsonValue) -> list[StreamEvent]:
        """A `done` event brings the whole text: take what the deltas left out."""
        item = self._current
        if not isinstance(text, str) or item is None or item.kind != kind or item.is_closed:
            return []
        if kind == "tool_call" and isinstance(payload.get("name"), str) and payload["name"]:
            item.name = str(payload["name"])
        have = item.text + item.waiting
        if kind == "text":
            have, text = have.lstrip("\r\n"), visible_text(text)
        if len(text) > len(have) and text.startswith(have):
            return self._grow(item.kind, payload, text[len(have) :])
        return []

    def _close_item(self, raw: JsonValue) -> list[StreamEvent]:
        item = raw if isinstance(raw, dict) else {}
        kind = _ITEM_KINDS.get(_text(item.get("type")))
        known = self._by_id.get(_text(item.get("id")))
        current = self._current
        if known is not None and known is not current and not known.is_closed and known.kind == kind:
            return self._close(known, item)
        if kind is None:
            return []
        if current is None or current.is_closed or current.kind != kind:
            return self._close_current() + self._whole_item(item) if not self._was_seen(item, kind) else []
        return self._close(current, item)

    def _was_seen(self, item: JsonObject, kind: BlockKind) -> bool:
        """Whether a closing event without an open item repeats a block that stands."""
        wanted = _item_text_of(item, kind)
        return any(seen.kind == kind and seen.text == wanted for seen in self._items)

    def _close(self, item: _Item, raw: JsonObject) -> list[StreamEvent]:
        if item.kind == "tool_call":
            item.name = item.name or _text(raw.get("name"))
            item.call_id = item.call_id or _text(raw.get("call_id"))
        events: list[StreamEvent] = []
        if not item.text and not item.waiting and (missed := _item_text_of(raw, item.kind)):
            self._current = item
            events += self._grow(item.kind, {}, missed)
        return events + self._seal(item)

    def _close_current(self) -> list[StreamEvent]:
        item = self._current
        return [] if item is None or item.is_closed else self._seal(item)

    def _seal(self, item: _Item) -> list[StreamEvent]:
        item.is_closed = True
        if item.index is None:
            return []
        block = self._block_of(item)
        self.blocks[item.index] = block
        events: list[StreamEvent] = [BlockFinished(item.index, block)]
        if isinstance(block, ToolCallBlock) and block.repairs:
            names = ", ".join(block.repairs)
            events.append(Notice("arguments_repaired", f"Arguments of {block.name} were repaired: {names}."))
        return events

    def _block_of(self, item: _Item) -> Block:
        if item.kind == "text":
            return TextBlock(text=item.text)
        if item.kind == "thinking":
            return ThinkingBlock(thinking=item.text)
        read = read_arguments(item.text, self._schemas.get(item.name))
        return ToolCallBlock(
            id=item.call_id or item.item_id or f"call_{item.index}",
            name=item.name,
            input=read.input,
            raw_arguments=item.text,
            problem=read.problem,
            repairs=read.repairs,
        )

    # the final object ----------------------------------------------------------------------------------------

    def _whole_item(self, raw: JsonObject) -> list[StreamEvent]:
        kind = _ITEM_KINDS.get(_text(raw.get("type")))
        self.has_items = True
        if kind is None:
            return []
        texts = item_text(raw) if kind == "text" else [_item_text_of(raw, kind)]
        events: list[StreamEvent] = []
        for text in texts:
            item = self._start(kind, _text(raw.get("id")), _text(raw.get("name")), _text(raw.get("call_id")))
            if kind == "tool_call":
                events += self._show(item)
            if text:
                events += self._grow(kind, {}, text)
            events += self._seal(item)
        return events

    def _match_calls(self, finals: list[JsonObject], events: list[StreamEvent]) -> list[JsonObject]:
        """Give streamed calls their final ids; return the calls that were never streamed."""
        open_calls = [item for item in self._items if item.kind == "tool_call" and item.index is not None]
        unstreamed: list[JsonObject] = []
        for final in finals:
            match = next((item for item in open_calls if _is_same_call(item, final)), None)
            if match is None:
                unstreamed.append(final)
                continue
            open_calls.remove(match)
            final_id = _text(final.get("call_id"))
            if final_id and final_id != match.call_id:
                match.call_id = final_id
                events += self._seal(match)
        return unstreamed

    def _withdraw_json_message(self, finals: list[JsonObject]) -> list[StreamEvent]:
        """Take back JSON streamed as text that the final object knows as a call (vLLM 0.20, required tools)."""
        kept = {visible_text(text) for item in finals if item.get("type") == "message" for text in item_text(item)}
        events: list[StreamEvent] = []
        for item in self._items:
            if item.kind == "text" and item.index is not None and item.text not in kept and _is_json(item.text):
                self.blocks.pop(item.index, None)
                events.append(BlockFinished(item.index, None))
                item.index = None
        return events


def _item_text_of(item: JsonObject, kind: BlockKind) -> str:
    if kind == "text":
        return "".join(item_text(item))
    if kind == "thinking":
        return item_thinking(item)
    return _text(item.get("arguments")) or _text(item.get("input"))


def _is_same_call(item: _Item, final: JsonObject) -> bool:
    if item.call_id and item.call_id == final.get("call_id"):
        return True
    return item.name == final.get("name") and _loaded(item.text) == _loaded(_item_text_of(final, "tool_call"))


def _loaded(text: str) -> object:
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError):
        return text.strip()


def _is_json(text: str) -> bool:
    return not isinstance(_loaded(text), str) and text.strip()[:1] in ("{", "[")


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
