"""What the token view writes around its tokens: heading, legend, and the token under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from vllm_tui.accounting.figures import MARKS, Part
from vllm_tui.accounting.token_view import Shown, TokenSide
from vllm_tui.ui.content import line, shown_line
from vllm_tui.ui.tokens.pane import PARTS

_OTHERS = 6


def heading(side: TokenSide, name: str, number: int, width: int) -> Content:
    """Return which side of which turn is shown, how many tokens it has and how they are known."""
    tabs = [Content.styled(f" {tab} ", "reverse" if tab == name else "$quiet") for tab in ("Prompt", "Answer")]
    count = "" if side.source is None else f"{len(side.tokens):,} tokens {MARKS[side.source]}"
    left = Content.assemble(("Tokens", "bold"), f"  turn {number + 1}  ", *tabs)
    gap = max(width - left.cell_length - len(count), 1)
    return Content.assemble(left, " " * gap, count)


def legend(parts: Sequence[Part], width: int) -> Content:
    """Return the parts with their letters and counts."""
    items = [
        Content.assemble((PARTS.get(part.name, part.name[:1]), "bold"), f" {shown_line(part.name)} {part.tokens:,}")
        for part in parts
    ]
    return Content("   ").join(items).truncate(width, ellipsis=True)


def about(shown: Shown | None, place: int, side: TokenSide) -> Content:
    """Return the token under the cursor on one line, and its probability and the likeliest others on the next."""
    if shown is None:
        return Content("\n")
    if side.source is None:
        return Content(f"{shown_line(shown.piece.part)}: {len(shown.piece.text):,} characters\n")
    piece = shown.piece
    identity = "" if piece.token < 0 else f"   id {piece.token}"
    special = "   special" if piece.is_special else ""
    first = Content.assemble(
        (f"token {place + 1:,} of {len(side.tokens):,}", "bold"), identity, "   ", line(repr(piece.text)), special,
        ("   " + shown_line(piece.part), "$quiet"),
    )  # fmt: skip
    return Content("\n").join([first, _chances(shown)])


def _chances(shown: Shown) -> Content:
    if shown.probability is None:
        return Content("")
    others = [f"{shown_line(repr(other.text))} {percent(other.probability)}" for other in shown.others[:_OTHERS]]
    tail = "   likeliest: " + "  ".join(others) if others else ""
    return Content.assemble((f"probability {percent(shown.probability)}", "bold"), tail)


def percent(probability: float) -> str:
    """Return a probability in per cent; small ones with digits that tell them apart."""
    value = probability * 100
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %" if value >= 0.1 else "<0.1 %"
