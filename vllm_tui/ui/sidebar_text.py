"""The sidebar as rows of text: tokens, time and context, the most important ones where there is little room."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from vllm_tui.accounting.figures import ConversationFigures, Figure, FigureSource, Part, TurnFigures
from vllm_tui.ui.figures_text import (
    ANSWER,
    CACHED,
    CALLS,
    FULL,
    INPUT,
    LEGEND,
    NEARLY_FULL,
    PHASES,
    REASONING,
    Swatch,
    bar,
    compact,
    count,
    percent,
    rate_of,
    seconds,
    speed,
    stacked,
    time_segments,
    token_segments,
)

Row = tuple[int, Content]
"""A row with its rank: the higher it is, the sooner the row is left out."""

_ALWAYS, _SOON, _BLANK_RANK, _DETAIL, _PARTS = 0, 1, 2, 3, 4
_TURN_END = 19
_PLAIN = Swatch(" ", "$quiet")
_RESERVED, _USED, _FREE = Swatch("▒", "$quiet"), "█", Swatch("▁", "$line")
_INPUT_PARTS = (
    ("template", ("system", "opening")),
    ("instructions", ("instructions",)),
    ("tools", ("tools",)),
    ("history", ("history", "reasoning", "calls")),
    ("tool results", ("results",)),
    ("this question", ("question",)),
)
"""The rows of the input's split, and the parts of the prompt each one sums up."""


def sidebar(
    turn: TurnFigures, conversation: ConversationFigures, width: int, height: int = 36, vocabulary: str = ""
) -> Content:
    """Return the rows of the sidebar for `height` rows; the same fact is always on the same row."""
    rows = [*_token_rows(turn, conversation, width), _BLANK, *_time_rows(turn, width), _BLANK]
    rows += [*_context_rows(turn, width), _BLANK]
    rows += [(_SOON if vocabulary else _PARTS, Content.styled(vocabulary, "$quiet"))]
    rows += [(_SOON, Content.styled(LEGEND, "$quiet"))]
    return Content("\n").join(row.truncate(width, ellipsis=True) for row in _fitted(rows, height))


_BLANK: Row = (_BLANK_RANK, Content(""))


def _fitted(rows: list[Row], height: int) -> list[Content]:
    """Leave out rows of the highest rank first, within a rank from the bottom, until `height` is enough."""
    surplus = len(rows) - max(height, 0)
    leaving = sorted(range(len(rows)), key=lambda place: (-rows[place][0], -place))[: max(surplus, 0)]
    gone = set(leaving)
    return [row for place, (_, row) in enumerate(rows) if place not in gone]


def _token_rows(turn: TurnFigures, conversation: ConversationFigures, width: int) -> list[Row]:
    share = _share(turn.cached, turn.input)
    heading = "TOKENS".ljust(11) + "THIS TURN" + "CONVERSATION".rjust(width - 20)

    def row(label: str, name: str, swatch: Swatch = _PLAIN) -> Content:
        return _pair(swatch, label, getattr(turn, name), getattr(conversation, name), width)

    return [
        (_ALWAYS, Content.styled(heading, "bold")),
        (_ALWAYS, row("input", "input", INPUT)),
        (_SOON, row(f"cache {share}".rstrip(), "cached", CACHED)),
        *((_PARTS, part) for part in _part_rows(turn, conversation, width)),
        (_DETAIL, row("output", "output")),
        (_ALWAYS, row("reasoning", "reasoning", REASONING)),
        (_ALWAYS, row("answer", "answer", ANSWER)),
        (_SOON, row("calls", "tool_calls", CALLS)),
        (_ALWAYS, row("total", "total")),
        (_ALWAYS, stacked(token_segments(turn), width)),
        (_DETAIL, _counted(turn, conversation, width)),
    ]


def _part_rows(turn: TurnFigures, conversation: ConversationFigures, width: int) -> Iterable[Content]:
    for label, names in _INPUT_PARTS:
        here = _part(turn.input_parts, turn.parts_source, names)
        there = _part(conversation.input_parts, conversation.parts_source, names)
        if names == ("results",):
            here = here if here.is_known else turn.tool_results
            there = there if there.is_known else conversation.tool_results
        yield _pair(_PLAIN, label, here, there, width)


def _part(parts: tuple[Part, ...], source: FigureSource | None, names: tuple[str, ...]) -> Figure:
    return Figure(sum(part.tokens for part in parts if part.name in names), source) if parts else Figure()


def _counted(turn: TurnFigures, conversation: ConversationFigures, width: int) -> Content:
    turns = f"{conversation.turns} turn{'' if conversation.turns == 1 else 's'}"
    requests = f"  requests{turn.requests:>9}"
    return Content.styled(requests + turns.rjust(width - len(requests) - 2), "$quiet")


def _time_rows(turn: TurnFigures, width: int) -> list[Row]:
    now, mean = turn.tokens_per_second, turn.mean_tokens_per_second
    spent = {span.phase: span.seconds for span in turn.spans}
    whole = sum(spent.values())
    phases = [
        (_DETAIL, _phase(swatch, label, spent.get(phase), whole))
        for phase, (label, swatch) in PHASES.items()
        if phase not in ("retrying", "deciding") or spent.get(phase)
    ]
    rate = rate_of(turn)
    beside = f" mean {mean.value:,.1f}" if now.is_known and mean.is_known and mean.value is not None else ""
    beside = beside or (" mean" if rate.is_known and not now.is_known else "")
    return [
        (_ALWAYS, _heading("TIME", f"{seconds(turn.elapsed)} {turn.elapsed.mark}", width)),
        (_DETAIL, stacked(time_segments(turn), width)),
        *phases,
        (_ALWAYS, _single("first token", seconds(turn.ttft), turn.ttft.mark)),
        (_SOON, _single("first answer", seconds(turn.first_answer), turn.first_answer.mark)),
        (_ALWAYS, _single("speed", speed(rate), rate.mark, beside)),
        (_DETAIL, _server_row(turn)),
    ]


def _phase(swatch: Swatch, label: str, spent: float | None, whole: float) -> Content:
    share = percent(spent / whole).rjust(8) if spent is not None and whole else ""
    return _single(label, seconds(Figure(spent)), "", share, swatch)


def _server_row(turn: TurnFigures) -> Content:
    """Return how the time is shared by server and network, where the server reports its own."""
    served, around = turn.server_time, turn.network_time
    if not served.is_known:
        return Content("")
    share = _share(served, Figure((served.value or 0) + (around.value or 0)))
    return _single(f"server {share}", seconds(served), served.mark, f" net {seconds(around)}")


def _context_rows(turn: TurnFigures, width: int) -> list[Row]:
    share = turn.context_share
    window = count(turn.context_window)
    if share is None:
        note = f"window {window}" if turn.context_window.is_known else "window unknown"
        empty = Content.styled(bar(0, width), "$line")
        return [(_ALWAYS, _heading("CONTEXT", note, width)), (_ALWAYS, empty), (_SOON, Content(""))]
    used, whole = float(turn.context_used.value or 0), float(turn.context_window.value or 0)
    reserved = min(float(turn.output_reserved.value or 0), max(0.0, whole - used))
    tone = "$error" if share >= FULL else "$warning" if share >= NEARLY_FULL else "$accent"
    warning = "! " if share >= NEARLY_FULL else ""
    note = f"{warning}{count(turn.context_used)} of {window}  {percent(share)}"
    heading = Content.assemble(
        ("CONTEXT", "bold"), (note.rjust(width - 7), tone if warning else "$quiet"),
    )  # fmt: skip
    parts = [(used, Swatch(_USED, tone)), (reserved, _RESERVED), (max(0.0, whole - used - reserved), _FREE)]
    return [(_ALWAYS, heading), (_ALWAYS, stacked(parts, width)), (_SOON, _room(turn, reserved, tone))]


def _room(turn: TurnFigures, reserved: float, tone: str) -> Content:
    """Return what the window has left, or by how much it is exceeded."""
    left = float(turn.context_window.value or 0) - float(turn.context_used.value or 0)
    if left < 0:
        return Content.styled(f"over the window by {-left:,.0f} tokens", tone)
    kept = f"{_RESERVED.glyph} reserved {compact(Figure(reserved), 7)}  " if turn.output_reserved.value else ""
    return Content.styled(f"{kept}{_FREE.glyph} free {compact(Figure(left - reserved), 9)}", "$quiet")


def _heading(title: str, note: str, width: int) -> Content:
    return Content.assemble((title, "bold"), (note.rstrip().rjust(max(width - len(title), 0)), "$quiet"))


def _pair(swatch: Swatch, label: str, here: Figure, there: Figure, width: int) -> Content:
    """Return a row of the table: this turn's figure and the conversation's, each with its mark."""
    left = compact(here, 7).rjust(_TURN_END - 2 - len(label))
    room = width - _TURN_END - 6
    return Content.assemble(
        (f"{swatch.glyph} ", swatch.style), (label, "$quiet"), (f"{left} {_mark(here)}", _tone(here)),
        (f"{compact(there, room):>{room}} {_mark(there)}", _tone(there)),
    )  # fmt: skip


def _mark(figure: Figure) -> str:
    return ((figure.mark or " ") + ("≠" if figure.other is not None else "")).ljust(2)


def _tone(figure: Figure) -> str:
    return "" if figure.is_known else "$quiet"


def _single(label: str, value: str, mark: str, tail: str = "", swatch: Swatch | None = None) -> Content:
    head = f"{swatch.glyph} " if swatch else ""
    gap = max(_TURN_END - len(head) - len(label), len(value) + 1)
    plain = f"{value.rjust(gap)} {mark or ' '}"
    return Content.assemble((head, swatch.style if swatch else ""), (label, "$quiet"), plain, (tail, "$quiet"))


def _share(part: Figure, whole: Figure) -> str:
    return percent(part.value / whole.value) if part.value is not None and whole.value else ""
