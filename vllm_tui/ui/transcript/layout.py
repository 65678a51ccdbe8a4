"""Where every part of the document stands, in rows. Parts are drawn when they come near; till then their height
is a guess. All moves are given as places (block, part, row of the part), so that nothing jumps when a guess is
corrected, a width changes or a block is folded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import count as counting

from vllm_tui.ui.transcript.blocks import Block
from vllm_tui.ui.transcript.document import Document
from vllm_tui.ui.transcript.offsets import Offsets
from vllm_tui.ui.transcript.parts import Part
from vllm_tui.ui.transcript.render import Renderer
from vllm_tui.ui.transcript.rows import Row

_KEPT_ROWS = 4_000
"""Drawn rows that are kept; beyond, those of the parts drawn longest ago are forgotten."""
_stamps = counting(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A row by what stands in it; `row` counts within the part, -1 is the empty row before the block."""

    block: int
    part: int = 0
    row: int = 0
    height: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """One row of the window: the block it belongs to, and its number in it (-1: the empty row before the block)."""

    row: Row
    block: Block
    number: int


class _Plan:
    """The parts of one block that are shown, and their heights."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.gap = 0
        self.is_folded = False
        self.parts: list[Part] = []
        self.offsets = Offsets()

    @property
    def height(self) -> int:
        return self.gap + self.offsets.total


class Layout:
    """Arranges the document for a renderer; `resync` before asking for rows."""

    def __init__(self, document: Document, renderer: Renderer) -> None:
        self._document = document
        self._renderer = renderer
        self._stamp = next(_stamps)
        self._plans: list[_Plan] = []
        self._by_id: dict[int, int] = {}
        self._offsets = Offsets()
        self._drawn: OrderedDict[Part, int] = OrderedDict()
        self._kept = 0

    @property
    def total(self) -> int:
        """Return the rows of the whole document."""
        return self._offsets.total

    def use(self, renderer: Renderer) -> None:
        """Draw with another width or other styles from now on; everything drawn is forgotten."""
        self._renderer = renderer
        self._stamp = next(_stamps)
        self._drawn.clear()
        self._kept = 0
        for plan in self._plans:
            self._measure(plan, 0)
        self._offsets = Offsets(plan.height for plan in self._plans)

    def resync(self) -> None:
        """Take over what changed in the document."""
        document = self._document
        if document.reshaped:
            self._reshape()
            document.reshaped = False
        for block_id in document.changed:
            index = self._by_id.get(block_id)
            if index is not None:
                self._replan(self._plans[index])
                self._offsets.set(index, self._plans[index].height)
        document.changed.clear()

    # rows

    def window(self, top: int, count: int) -> list[Seen]:
        """Return `count` rows from `top` on, fewer at the end; what is drawn gets its true height."""
        seen: list[Seen] = []
        place = self.place_at(top)
        if place is None:
            return seen
        index, part, skip = self._by_id[place.block], place.part, place.row
        while index < len(self._plans) and len(seen) < count:
            plan = self._plans[index]
            if skip < 0 or (part == 0 and skip == 0 and place.block != plan.block.id):
                seen += [Seen(self._renderer.blank, plan.block, -1)] * plan.gap
                skip = 0
            while part < len(plan.parts) and len(seen) < count:
                rows = self._rows(index, part)
                start = plan.offsets.start(part)
                skip = min(skip, len(rows) - 1) if len(rows) else 0
                seen += [Seen(row, plan.block, start + at) for at, row in enumerate(rows[skip:], skip)]
                part, skip = part + 1, 0
            index, part = index + 1, 0
        return seen[:count]

    def settle_up(self, top: int, count: int) -> int:
        """Draw the parts of the `count` rows above `top`; return where `top` is now."""
        place = self.place_at(top)
        if place is None:
            return top
        index, part = self._by_id[place.block], place.part
        self._rows_or_none(index, part)
        left = count
        while left > 0 and index >= 0:
            part -= 1
            if part < 0:
                index -= 1
                part = len(self._plans[index].parts) if index >= 0 else 0
                continue
            left -= len(self._rows_or_none(index, part) or [])
        return self.row_of(place)

    def settle_end(self, count: int) -> None:
        """Draw the last parts, at least `count` rows of them."""
        for index in range(len(self._plans) - 1, -1, -1):
            for part in range(len(self._plans[index].parts) - 1, -1, -1):
                if count <= 0:
                    return
                count -= len(self._rows(index, part))

    def place_at(self, row: int) -> Place | None:
        """Return what stands in `row`; None in an empty document."""
        if not self._plans or not self.total:
            return None
        row = max(0, min(row, self.total - 1))
        index = self._offsets.locate(row)
        plan = self._plans[index]
        within = row - self._offsets.start(index) - plan.gap
        if within < 0 or not plan.parts:
            return Place(plan.block.id, 0, -1)
        part = plan.offsets.locate(within)
        return Place(plan.block.id, part, within - plan.offsets.start(part), plan.offsets[part])

    def row_of(self, place: Place) -> int:
        """Return the row of a place; one in a part of another height moves in proportion."""
        index = self._by_id.get(place.block)
        if index is None:
            return self.total
        plan = self._plans[index]
        start = self._offsets.start(index)
        if place.row < 0 or not plan.parts:
            return start
        part = min(place.part, len(plan.parts) - 1)
        within = place.row
        if plan.offsets[part] != place.height:
            within = within * plan.offsets[part] // max(place.height, 1)
        return start + plan.gap + plan.offsets.start(part) + min(within, max(plan.offsets[part] - 1, 0))

    def extent(self, block_id: int) -> tuple[int, int]:
        """Return the first row of a block and the one after its last; the gap before it is left out."""
        index = self._by_id[block_id]
        plan = self._plans[index]
        start = self._offsets.start(index) + plan.gap
        return start, start + plan.offsets.total

    def block_rows(self, block_id: int) -> list[Row]:
        """Return all rows of a block; what is not drawn yet is drawn now."""
        index = self._by_id.get(block_id)
        if index is None:
            return []
        return [row for part in range(len(self._plans[index].parts)) for row in self._rows(index, part)]

    def order(self, block_id: int) -> int:
        """Return the position of a block among all."""
        return self._by_id.get(block_id, -1)

    def ids(self, first: int, last: int) -> list[int]:
        """Return the ids of the blocks from position `first` to `last`, both included."""
        return [plan.block.id for plan in self._plans[max(first, 0) : last + 1]]

    # plans

    def _reshape(self) -> None:
        """Make a plan for every block, keeping those there are."""
        document = self._document
        known = {plan.block.id: plan for plan in self._plans}
        plans: list[_Plan] = []
        before: _Plan | None = None
        for block in document.blocks:
            plan = known.get(block.id)
            if plan is None:
                plan = _Plan(block)
                self._replan(plan)
            elif plan.is_folded != document.is_folded(block) or bool(plan.parts) != document.is_visible(block):
                self._replan(plan)
            plan.gap = _gap(before, plan)
            before = plan if plan.parts else before
            plans.append(plan)
        self._plans = plans
        self._by_id = {plan.block.id: index for index, plan in enumerate(plans)}
        self._offsets = Offsets(plan.height for plan in plans)

    def _replan(self, plan: _Plan) -> None:
        block = plan.block
        was_folded = plan.is_folded
        plan.is_folded = self._document.is_folded(block)
        has_head = block.kind in ("thinking", "tool_call")
        if not self._document.is_visible(block):
            plan.parts, plan.offsets = [], Offsets()
            return
        if plan.is_folded:
            block.head.rows = None if not was_folded else block.head.rows
            plan.parts = [block.head]
            self._measure(plan, 0)
            return
        if was_folded:
            block.head.rows = None
        head = [block.head] if has_head else []
        parts = block.parts()
        if was_folded or not plan.parts:
            plan.parts = [*head, *parts]
            self._measure(plan, 0)
            return
        same = min(len(plan.parts) - len(head), len(parts))
        while same and plan.parts[same - 1 + len(head)] is not parts[same - 1]:
            same -= 1
        plan.parts[len(head) + same :] = parts[same:]
        self._measure(plan, len(head) + same)

    def _measure(self, plan: _Plan, first: int) -> None:
        """Give the parts from `first` on the heights that are known or guessed."""
        width = self._renderer.text_width
        heights: list[int] = []
        for part in plan.parts[first:]:
            if part.stamp != self._stamp:
                part.rows, part.stamp = None, self._stamp
                part.height = 1 if part.kind == "head" else part.estimate(width)
            heights.append(part.height)
        plan.offsets.splice(first, heights)

    # drawing

    def _rows_or_none(self, index: int, part: int) -> list[Row] | None:
        return self._rows(index, part) if 0 <= part < len(self._plans[index].parts) else None

    def _rows(self, index: int, at: int) -> list[Row]:
        """Return the rows of a part, drawing it when it has none, and correct its height."""
        plan = self._plans[index]
        part = plan.parts[at]
        if part.rows is None:
            part.rows = self._renderer.rows(plan.block, part, is_folded=plan.is_folded)
            self._keep(part)
        if part.height != len(part.rows) or plan.offsets[at] != part.height:
            part.height = len(part.rows)
            plan.offsets.set(at, part.height)
            self._offsets.set(index, plan.height)
        return part.rows

    def _keep(self, part: Part) -> None:
        self._kept += len(part.rows or ()) - self._drawn.pop(part, 0)
        self._drawn[part] = len(part.rows or ())
        while self._kept > _KEPT_ROWS and len(self._drawn) > 1:
            oldest, size = self._drawn.popitem(last=False)
            self._kept -= size
            oldest.rows = None


def _gap(before: _Plan | None, plan: _Plan) -> int:
    """Return the empty rows before a block: none before the first, between folded cards, or between notes."""
    if before is None or not plan.parts:
        return 0
    kinds = (before.block.kind, plan.block.kind)
    if kinds == ("note", "note") or (kinds == ("tool_call", "tool_call") and before.is_folded and plan.is_folded):
        return 0
    return 1
