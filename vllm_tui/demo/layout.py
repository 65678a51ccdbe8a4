"""From a reply to the tokens a model would make for it, cut where the output limit falls."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from vllm_tui.demo.objects import call_item, message_item, reasoning_item
from vllm_tui.demo.tokens import split_tokens

if TYPE_CHECKING:
    from vllm_tui.demo.script import Reply
    from vllm_tui.domain.values import JsonObject, JsonValue

SegmentKind = Literal["reasoning", "message", "call"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One output item as tokens; `lead` and `trail` count the unseen tokens around it (tags, channels, ends)."""

    kind: SegmentKind
    tokens: tuple[str, ...]
    lead: int
    trail: int
    item_id: str
    name: str = ""
    call_id: str = ""

    @property
    def text(self) -> str:
        """The visible text or the arguments."""
        return "".join(self.tokens)

    @property
    def cost(self) -> int:
        """All tokens of this item."""
        return self.lead + len(self.tokens) + self.trail


_HARMONY_AROUND: dict[SegmentKind, tuple[int, int]] = {"reasoning": (3, 1), "message": (5, 1), "call": (8, 1)}
_PLAIN_AROUND: dict[SegmentKind, tuple[int, int]] = {"reasoning": (1, 1), "message": (0, 1), "call": (6, 3)}


def lay_out(reply: Reply, seed: int, *, is_harmony: bool) -> tuple[Segment, ...]:
    """Return the items of `reply` in order, with ids made from `seed`.

    A thinking model behind a tag parser sends a blank message between its thoughts and a call, and blank lines
    before its answer. A Harmony model stops after its first call.
    """
    chance = random.Random(seed)  # noqa: S311 - ids of a demo, no secret
    around = _HARMONY_AROUND if is_harmony else _PLAIN_AROUND

    def segment(kind: SegmentKind, text: str, name: str = "") -> Segment:
        prefix = {"reasoning": "rs_", "message": "msg_", "call": "fc_"}[kind]
        item_id = f"{prefix}{chance.getrandbits(64):016x}"
        call_id = f"{'call_' if is_harmony else 'chatcmpl-tool-'}{chance.getrandbits(64):016x}"
        return Segment(kind, tuple(split_tokens(text)), *around[kind], item_id, name, call_id)

    found: list[Segment] = []
    thoughts, text = reply.thoughts, reply.text
    if thoughts:
        found.append(segment("reasoning", thoughts if is_harmony else f"{thoughts}\n"))
        text = text if is_harmony or reply.is_continuation else f"\n\n{text}"
    if text:
        found.append(segment("message", text))
    calls = reply.calls[:1] if is_harmony else reply.calls
    found.extend(segment("call", call.arguments, call.name) for call in calls)
    return tuple(found)


def cut(segments: tuple[Segment, ...], budget: int) -> tuple[tuple[Segment, ...], bool]:
    """Return what `budget` tokens allow of `segments`, and whether something is missing."""
    kept: list[Segment] = []
    for segment in segments:
        if segment.cost <= budget:
            kept.append(segment)
            budget -= segment.cost
            continue
        visible = min(len(segment.tokens), max(0, budget - segment.lead))
        if visible:
            kept.append(replace(segment, tokens=segment.tokens[:visible], trail=0))
        return tuple(kept), True
    return tuple(kept), False


def count_output(segments: tuple[Segment, ...], *, is_harmony: bool) -> tuple[int, int]:
    """Return output and reasoning tokens; Harmony counts a call's arguments as reasoning, an empty answer is 1."""
    reasoning_kinds = ("reasoning", "call") if is_harmony else ("reasoning",)
    reasoning = sum(len(segment.tokens) for segment in segments if segment.kind in reasoning_kinds)
    return max(1, sum(segment.cost for segment in segments)), reasoning


def final_item(segment: Segment, *, is_harmony: bool, is_streamed: bool, is_cut: bool) -> JsonObject:
    """Return an item as the final response has it; statuses differ from those in the stream as on vLLM 0.32."""
    match segment.kind:
        case "reasoning":
            status = "completed" if is_streamed and not is_harmony else None
            return reasoning_item(segment.item_id, segment.text, status)
        case "message":
            is_unfinished = is_cut and is_harmony and segment.trail == 0
            return message_item(segment.item_id, segment.text, "incomplete" if is_unfinished else "completed")
        case "call":
            return call_item(segment.item_id, segment.call_id, segment.name, segment.text, "completed")


def final_output(
    segments: tuple[Segment, ...], *, is_harmony: bool, is_streamed: bool, is_cut: bool
) -> list[JsonValue]:
    """Return the `output` of the final response; without a stream the blank message before a call is left out."""
    return [
        final_item(segment, is_harmony=is_harmony, is_streamed=is_streamed, is_cut=is_cut)
        for segment in segments
        if is_streamed or segment.kind != "message" or segment.text.strip()
    ]
