"""The panes of the inspector: one call seen from several sides, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

from textual.content import Content

from vllm_tui.domain.tool_runs import AnswerByHand, Refuse, RunAlways, RunEdited, RunOnce, Verdict
from vllm_tui.ui.calls.texts import MOST_CHARACTERS, bounded, fragment_lines, json_text, verdict_lines, verdict_words
from vllm_tui.ui.content import line, plain

if TYPE_CHECKING:
    from vllm_tui.domain.tool_runs import Decision, ToolListing
    from vllm_tui.domain.values import JsonObject, JsonValue
    from vllm_tui.ui.calls.entries import CallEntry

PANES = ("arguments", "streamed", "schema", "result", "raw")
"""The sides of a call, in the order of their keys 1 to 5."""

_MOST_FRAGMENTS = 2_000
_MOST_DIFF = 400


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the call itself: the tool as it is now, and the verdict on the arguments."""

    listing: ToolListing | None = None
    verdict: Verdict | None = None


def tree_of(name: str, entry: CallEntry) -> JsonObject | list[JsonValue] | None:
    """Return what a side shows as a tree: arguments or a result that are an object or a list, else None."""
    value: JsonValue = None
    if name == "arguments" and entry.block is not None:
        value = entry.block.input
    elif name == "result":
        value = result_of(entry)
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and len(value) <= MOST_CHARACTERS:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return None
    return value if isinstance(value, dict | list) and value else None


def pane(name: str, entry: CallEntry, known: Known, width: int, *, has_tree: bool = False) -> Content:
    """Return one side of a call for `width` columns; `has_tree`: the value itself is shown below as a tree."""
    match name:
        case "streamed":
            return _streamed(entry)
        case "schema":
            return _schema(known)
        case "result":
            return _result(entry, has_tree=has_tree)
        case "raw":
            return bounded(json_text(taken_away(entry)))
        case _:
            return _arguments(entry, known, width, has_tree=has_tree)


def _arguments(entry: CallEntry, known: Known, width: int, *, has_tree: bool) -> Content:
    parts: list[Content] = []
    if entry.block is None:
        parts.append(Content.styled("still streaming; they are checked once they are complete", "$quiet"))
        return Content("\n").join([*parts, Content(""), bounded(entry.text)])
    if entry.block.problem:
        parts.append(Content.styled(f"✗ {line(entry.block.problem).plain}", "$error"))
    verdict = known.verdict
    if verdict is not None and not entry.block.problem:
        good = verdict.is_valid
        parts.append(
            Content.styled(f"{'✓' if good else '✗'} {verdict_words(verdict)}", "$success" if good else "$error")
        )
        parts += [Content(""), verdict_lines(verdict, width)]
    elif not entry.block.problem:
        parts.append(Content.styled("not checked: no tool of this name is known here", "$warning"))
    parts += [Content.styled(f"! {line(repair).plain}", "$warning") for repair in entry.block.repairs]
    if not has_tree:
        parts += [Content(""), bounded(json_text(entry.block.input))]
    ran = entry.record.arguments if entry.record is not None else None
    if ran is not None and ran != entry.block.input:
        parts += [Content(""), Content.styled("what ran instead", "bold $warning"), bounded(json_text(ran))]
    return Content("\n").join(parts)


def _streamed(entry: CallEntry) -> Content:
    if not entry.fragments:
        words = "Pieces are kept while the program runs; of this call only the whole text is known."
        return Content("\n").join([Content.styled(words, "$quiet"), Content(""), bounded(entry.text)])
    last = entry.fragments[-1].seconds
    head = f"{len(entry.fragments):,} fragments in {last:.2f} s, {len(entry.text):,} characters"
    shown = list(fragment_lines(entry))
    rows = shown[:_MOST_FRAGMENTS]
    if len(shown) > _MOST_FRAGMENTS:
        rows.append(Content.styled(f"… {len(shown) - _MOST_FRAGMENTS:,} more fragments", "$warning"))
    parts = [Content.styled(head, "$quiet"), Content(""), bounded(entry.text), Content(""), *rows]
    return Content("\n").join(parts)


def _schema(known: Known) -> Content:
    listing = known.listing
    if listing is None:
        return Content.styled("No tool of this name is known here, so there is no schema.", "$warning")
    head = Content.assemble(
        (line(listing.title).plain, "bold"), (f"  {listing.kind}, {line(listing.origin).plain}", "$quiet")
    )
    described = plain(listing.spec.description or "no description")
    return Content("\n").join([head, described, Content(""), bounded(json_text(listing.spec.parameters))])


def _result(entry: CallEntry, *, has_tree: bool) -> Content:
    parts: list[Content] = []
    if entry.record is not None and entry.record.decision is not None:
        parts.append(Content.styled(f"you: {decision_words(entry.record.decision)}", "$quiet"))
    parts += [Content.styled(f"! {line(note).plain}", "$warning") for note in entry.notes]
    if entry.result is None:
        words = {"waiting": "It waits for your word.", "running": "It runs.", "streaming": "It still streams."}
        parts.append(Content.styled(words.get(entry.state, "Nothing answered this call."), "$quiet"))
        return Content("\n").join(parts)
    if has_tree:
        return Content("\n").join(parts)
    parts += [Content(""), bounded(json_text(result_of(entry)))] if parts else [bounded(json_text(result_of(entry)))]
    return Content("\n").join(parts)


def decision_words(decision: Decision) -> str:
    """Return what the person decided, in a few words."""
    match decision:
        case RunOnce():
            return "run once"
        case RunAlways():
            return "run, and calls like it for this session"
        case RunEdited():
            return "run with other arguments"
        case AnswerByHand(is_error=is_error):
            return "answered by hand, as an error" if is_error else "answered by hand"
        case Refuse(reason=reason):
            return f"refused: {line(reason).plain}" if reason else "refused"


def result_of(entry: CallEntry) -> JsonValue:
    """Return what the tool answered, None when nothing did."""
    content = None if entry.result is None else entry.result.content
    if content is None or isinstance(content, str):
        return content
    outputs: list[JsonValue] = [block.output for block in content if block.type == "tool_result"]
    return outputs[0] if len(outputs) == 1 else outputs


def taken_away(entry: CallEntry) -> JsonObject:
    """Return the call as it stands in a request, its result, and what happened here, as JSON."""
    sent: JsonObject = {"type": "function_call", "call_id": entry.call_id, "name": entry.name, "arguments": entry.text}
    found: JsonObject = {"received": sent}
    result = result_of(entry)
    if entry.result is not None:
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        found["sent"] = {"type": "function_call_output", "call_id": entry.call_id, "output": text}
    here: JsonObject = {"state": entry.state, "seconds": entry.seconds, "notes": [*entry.notes]}
    if entry.record is not None and entry.record.arguments is not None:
        here["arguments"] = entry.record.arguments
    if entry.record is not None and entry.record.decision is not None:
        here["decision"] = decision_words(entry.record.decision)
    if entry.block is not None and entry.block.problem:
        here["problem"] = entry.block.problem
    if entry.block is not None and entry.block.repairs:
        here["repairs"] = [*entry.block.repairs]
    if entry.fragments:
        here["fragments"] = [[round(piece.seconds, 4), piece.text] for piece in entry.fragments[:_MOST_FRAGMENTS]]
    found["here"] = here
    return found


def comparison(left: CallEntry, right: CallEntry, width: int) -> Content:
    """Return two calls beside each other: arguments by name, and what differs in their results."""
    rows = [
        Content.assemble(("A ", "bold $accent"), _title(left)),
        Content.assemble(("B ", "bold $accent"), _title(right)),
    ]
    rows += [Content(""), Content.styled("arguments", "bold")]
    first, second = _members(left), _members(right)
    room = max((width - 20) // 2, 8)
    for name in dict.fromkeys((*first, *second)):
        one, two = first.get(name, "–"), second.get(name, "–")
        mark = ("= ", "$quiet") if one == two else ("≠ ", "$warning")
        cells = [line(text).truncate(room, ellipsis=True) for text in (one, two)]
        gap = " " * (room - cells[0].cell_length + 2)
        label = line(name).truncate(14, ellipsis=True)
        rows.append(Content.assemble(mark, (label.plain.ljust(16), "$quiet"), cells[0], gap, cells[1]))
    rows += [Content(""), Content.styled("results", "bold"), *_difference(left, right)]
    return Content("\n").join(rows)


def _title(entry: CallEntry) -> Content:
    seconds = "" if entry.seconds is None else f" {entry.seconds:.2f} s"
    return Content.assemble(line(entry.name), (f"  {entry.state}{seconds}  {line(entry.call_id).plain}", "$quiet"))


def _members(entry: CallEntry) -> dict[str, str]:
    given = entry.block.input if entry.block is not None else entry.text
    if entry.record is not None and entry.record.arguments is not None:
        given = entry.record.arguments
    if isinstance(given, str):
        return {"(text)": given}
    return {name: json.dumps(value, ensure_ascii=False) for name, value in given.items()}


def _difference(left: CallEntry, right: CallEntry) -> Sequence[Content]:
    one, two = (json_text(result_of(entry) or "").split("\n")[:_MOST_DIFF] for entry in (left, right))
    if one == two:
        return [Content.styled("the same", "$quiet")]
    styles = {"+": "$success", "-": "$error"}
    rows = list(unified_diff(one, two, lineterm="", n=2))[2:]
    return [line(row).stylize(styles.get(row[:1], "$quiet")) for row in rows if not row.startswith("@@")]
