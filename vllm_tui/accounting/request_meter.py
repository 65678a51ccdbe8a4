"""What one request showed so far, counted by delta, by vocabulary or by length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vllm_tui.accounting.figures import UNKNOWN, Figure, Part, settled_parts
from vllm_tui.accounting.live_text import TextCounter
from vllm_tui.accounting.split import Calibration, RequestFigures, Seen, split_request

if TYPE_CHECKING:
    from vllm_tui.domain.blocks import Block
    from vllm_tui.domain.events import BlockKind
    from vllm_tui.domain.usage import Usage


class _Shown:
    """One block: how many deltas and characters it showed, and tokens for text that came in no delta."""

    __slots__ = ("characters", "counter", "deltas", "extra", "kind")

    def __init__(self, kind: BlockKind, counter: TextCounter | None) -> None:
        self.kind = kind
        self.counter = counter
        self.deltas = 0
        self.characters = 0
        self.extra = 0


class RequestMeter:
    """What one request showed so far."""

    def __init__(self, encode: Callable[[str], Sequence[int]] | None) -> None:
        self._encode = encode
        self.expected: Figure = UNKNOWN
        self.parts: tuple[Part, ...] = ()
        self.usage: Usage | None = None
        self._blocks: dict[int, _Shown] = {}

    @property
    def settled_parts(self) -> tuple[Part, ...]:
        """Return the split of the input, brought to what the server reported."""
        return settled_parts(self.parts, self.expected.source, self.usage.input_tokens if self.usage else None)

    @property
    def deltas(self) -> int:
        """Return the deltas of all blocks."""
        return sum(block.deltas for block in self._blocks.values())

    @property
    def characters(self) -> int:
        """Return the characters that came in deltas."""
        return sum(block.characters for block in self._blocks.values())

    @property
    def extra(self) -> int:
        """Return the estimated tokens of text that came in no delta."""
        return sum(block.extra for block in self._blocks.values())

    def block(self, index: int, kind: BlockKind) -> _Shown:
        """Return the block `index`, opened if need be."""
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = _Shown(kind, TextCounter(self._encode) if self._encode else None)
        return block

    def add(self, index: int, kind: BlockKind, text: str) -> None:
        """Take one delta."""
        block = self._blocks.get(index) or self.block(index, kind)
        block.deltas += 1
        block.characters += len(text)
        if block.counter is not None:
            block.counter.add(text)

    def finish(self, index: int, final: Block | None, calibration: Calibration) -> None:
        """Take the final word on a block; None takes the block back."""
        if final is None:
            self._blocks.pop(index, None)
        else:
            self.cover(index, final, calibration)

    def cover(self, index: int, final: Block, calibration: Calibration) -> None:
        """Count text of the final block that no delta brought."""
        text, kind = _text_of(final)
        if kind is None:
            return
        block = self.block(index, kind)
        block.kind = kind
        unseen = len(text) - block.characters
        block.extra = calibration.tokens_of(unseen) if unseen > 0 else 0

    def figures(self, calibration: Calibration) -> RequestFigures:
        """Return the request's figures so far."""
        counts = {"thinking": 0.0, "text": 0.0, "tool_call": 0.0}
        for block in self._blocks.values():
            counted = block.deltas * calibration.tokens_per_delta if block.counter is None else block.counter.count
            counts[block.kind] += counted + block.extra
        note = "From the number of characters." if self.extra and not self.deltas else "Counted by deltas."
        if self._encode is not None:
            note = "Text counted with the model's vocabulary, without the markers around it."
        seen = Seen(round(counts["thinking"]), round(counts["text"]), round(counts["tool_call"]), note=note)
        return split_request(self.usage, seen, self.expected)


def _text_of(block: Block) -> tuple[str, BlockKind | None]:
    match block.type:
        case "text":
            return block.text, "text"
        case "thinking":
            return block.thinking, "thinking"
        case "tool_call":
            return block.raw_arguments or "", "tool_call"
        case _:
            return "", None
