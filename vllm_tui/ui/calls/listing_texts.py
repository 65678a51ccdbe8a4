"""What is said about the tools themselves: where from, whether offered, what may run, what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from vllm_tui.ui.content import line, plain, shown_line

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import ToolListing
    from vllm_tui.domain.values import JsonObject

KINDS = {"builtin": "built in", "demo": "demo", "python": "Python", "file": "file", "mcp": "MCP"}
"""Where a tool comes from, in words."""
_PER_TOKEN = 3.6


def listing_line(listing: ToolListing, width: int) -> Content:
    """Return a tool as a line of the list: whether it is offered, its name, where it is from."""
    if listing.readiness != "ready":
        mark, style = ("~", "$warning") if listing.readiness == "changed" else ("✗", "$error")
    else:
        mark, style = ("✓", "$success") if listing.is_enabled else ("·", "$quiet")
    tail = KINDS[listing.kind]
    room = max(width - len(tail) - 3, 6)
    label = Content(shown_line(listing.title)).truncate(room, ellipsis=True)
    gap = " " * max(width - label.cell_length - len(tail) - 2, 1)
    return Content.assemble((f"{mark} ", style), label, gap, tail)


def about(listing: ToolListing, asks_all: bool) -> Content:
    """Return all a person should know before a tool is offered; hidden characters are visible."""
    rows = [
        Content.assemble((shown_line(listing.title), "bold"), (f"  {KINDS[listing.kind]}", "$quiet")),
        _fact("from", shown_line(listing.origin)),
        _fact("runs", _runs(listing, asks_all)),
        _fact("offered", _offered(listing)),
    ]
    if listing.problem:
        style = "$warning" if listing.readiness == "changed" else "$error"
        rows.append(Content.styled(f"! {shown_line(listing.problem)}", style))
    if listing.readiness == "changed":
        rows.append(Content.styled("Read it below; a accepts it as it is now.", "bold"))
    rows += [Content(""), plain(listing.spec.description or "no description"), Content("")]
    rows.append(Content.styled(f"fingerprint {listing.fingerprint[:16]}…", "$quiet"))
    return Content("\n").join(rows)


def _fact(name: str, words: str) -> Content:
    return Content.assemble((name.ljust(9), "$quiet"), line(words))


def _runs(listing: ToolListing, asks_all: bool) -> str:
    if listing.by_hand:
        return "not at all: you answer each call by hand"
    if listing.pure and not asks_all:
        return "without asking, as it touches nothing"
    return "only when you say so, call by call"


def _offered(listing: ToolListing) -> str:
    if listing.readiness != "ready":
        return "no, until what is wrong below is settled"
    return "yes, from the next request on" if listing.is_enabled else "no, switched off (Space)"


def sent(listing: ToolListing) -> JsonObject:
    """Return the tool as it stands in a request."""
    spec = listing.spec
    return {"type": "function", "name": spec.name, "description": spec.description or "", "parameters": spec.parameters}


def title_line(listings: Sequence[ToolListing], choice: str | None) -> Content:
    """Return how many tools are offered, about how many tokens they take, and the tool choice."""
    import json

    offered = [entry for entry in listings if entry.is_enabled and entry.readiness == "ready"]
    size = sum(len(json.dumps(sent(entry), ensure_ascii=False)) for entry in offered)
    told = f"  {len(offered)} of {len(listings)} offered, about {size / _PER_TOKEN:,.0f} tokens ○"
    chosen = f"   tool choice: {shown_line(choice)}" if choice else ""
    return Content.assemble(("Tools", "bold"), (told, "$quiet"), (chosen, "$accent"))
