"""The calls of a conversation as one list: those on disk, those that stream, and what the toolbox knows of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from vllm_tui.domain.tool_runs import CallRecord, CallState, Fragment

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import ToolCallBlock
    from vllm_tui.domain.call_watch import StreamedCall
    from vllm_tui.domain.messages import Message
    from vllm_tui.domain.turns import Turn
    from vllm_tui.ui.calls.journal import Journal

EntryState = CallState | Literal["streaming", "unanswered"]
"""`streaming`: its arguments still come; `unanswered`: the turn ended before anything answered it."""

_STATES = frozenset(get_args(CallState))


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One call, or one more run of it by hand (`rerun` counts from 1).

    `text` are the arguments as they came; `block` and `record` are there once they are known.
    """

    turn_id: str
    call_id: str
    name: str
    state: EntryState
    text: str = ""
    fragments: tuple[Fragment, ...] = ()
    block: ToolCallBlock | None = None
    record: CallRecord | None = None
    result: Message | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    rerun: int = 0

    @property
    def key(self) -> str:
        """Return what tells the entry from others while the list grows."""
        return f"{self.turn_id}/{self.call_id}/{self.rerun}"


def entries_of(turns: Sequence[Turn], records: Sequence[CallRecord], journal: Journal) -> tuple[CallEntry, ...]:
    """Return every call, oldest first; runs by hand stand right after the call they repeat."""
    runs: dict[str, deque[CallRecord]] = {}
    for record in records:
        runs.setdefault(record.call.id, deque()).append(record)
    found: list[CallEntry] = []
    for turn in turns:
        for entry in _of_turn(turn, journal):
            found += _with_runs(entry, runs.get(entry.call_id, deque()))
    return tuple(found)


def _of_turn(turn: Turn, journal: Journal) -> list[CallEntry]:
    entries = {entry.call_id: entry for entry in _stored(turn)}
    for call in journal.calls(turn.id):
        entry = _streamed(turn.id, call)
        known = entries.get(entry.call_id)
        entries[entry.call_id] = entry if known is None else replace(known, fragments=call.fragments)
    return list(entries.values())


def _stored(turn: Turn) -> list[CallEntry]:
    found: list[CallEntry] = []
    for entry in turn.rounds:
        results = {message.tool_call_id: message for message in entry.tool_results}
        found += [_answered(turn.id, block, results.get(block.id)) for block in entry.answer.tool_calls]
    return found


def _answered(turn_id: str, block: ToolCallBlock, result: Message | None) -> CallEntry:
    entry = CallEntry(turn_id, block.id, block.name, "unanswered", text_of(block), block=block, result=result)
    if result is None:
        return entry
    facts = (result.metadata or {}).get("tool")
    facts = facts if isinstance(facts, dict) else {}
    state, seconds, notes = facts.get("state"), facts.get("seconds"), facts.get("notes")
    return replace(
        entry,
        state=cast("CallState", state) if state in _STATES else "failed" if _is_error(result) else "done",
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        notes=tuple(str(note) for note in notes) if isinstance(notes, list) else (),
    )


def _streamed(turn_id: str, call: StreamedCall) -> CallEntry:
    state: EntryState = "streaming" if call.block is None else "unanswered"
    call_id = call.call_id or f"{call.request}.{call.index}"
    text = call.text or (text_of(call.block) if call.block is not None else "")
    return CallEntry(turn_id, call_id, call.name, state, text, call.fragments, call.block)


def _with_runs(entry: CallEntry, records: deque[CallRecord]) -> list[CallEntry]:
    """Take the record of this call's answer and those of its runs by hand; a later call may bear the same id."""
    found = [entry]
    if records and not records[0].is_rerun:
        found = [_known(entry, records.popleft())]
    while records and records[0].is_rerun:
        found.append(replace(_known(entry, records.popleft()), rerun=len(found)))
    return found


def _known(entry: CallEntry, record: CallRecord) -> CallEntry:
    return replace(
        entry,
        state=record.state,
        block=record.call,
        record=record,
        result=record.result,
        seconds=record.seconds,
        notes=record.notes,
    )


def text_of(block: ToolCallBlock) -> str:
    """Return a call's arguments as text, as they were streamed where that is known."""
    if block.raw_arguments is not None:
        return block.raw_arguments
    if isinstance(block.input, str):
        return block.input
    import json

    return json.dumps(block.input, ensure_ascii=False)


def _is_error(message: Message) -> bool:
    content = message.content
    return not isinstance(content, str) and any(block.type == "tool_result" and block.is_error for block in content)
