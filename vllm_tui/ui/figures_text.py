"""Figures as text: the sidebar's rows, the one line of a narrow screen, the line under an answer."""

from __future__ import annotations

from textual.content import Content

from vllm_tui.accounting.figures import ConversationFigures, Figure, TurnFigures

LEGEND = "● server  ◐ computed  ○ estimate"
UNKNOWN_TEXT = "–"
_VALUE_END = 19
_BAR_START = 23
_NEARLY_FULL, _FULL = 0.8, 0.95


def count(figure: Figure) -> str:
    """Return a number of tokens with thousands separated."""
    return UNKNOWN_TEXT if figure.value is None else f"{round(figure.value):,}"


def seconds(figure: Figure) -> str:
    """Return seconds: two decimals below ten, one above; minutes from 100 s on."""
    value = figure.value
    if value is None:
        return UNKNOWN_TEXT
    if value >= 100:
        return f"{int(value // 60)}:{int(value % 60):02d} min"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def speed(figure: Figure) -> str:
    """Return tokens per second."""
    return UNKNOWN_TEXT if figure.value is None else f"{figure.value:.1f} tok/s"


def bar(share: float, width: int) -> str:
    """Return a bar of `width` cells; anything above zero fills at least one."""
    filled = min(width, max(round(share * width), 1 if share > 0 else 0))
    return "▇" * filled + "▁" * (width - filled)


def percent(share: float) -> str:
    """Return a share as whole per cent; below one half per cent that is `<1 %`."""
    return "<1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def sidebar(turn: TurnFigures, conversation: ConversationFigures, width: int) -> Content:
    """Return all rows of the sidebar; the same figure is always on the same row."""
    rows = [_heading("THIS TURN", "", width), *_token_rows(turn, width), _BLANK, *_time_rows(turn), _BLANK]
    rows += [*_context_rows(turn, width), _BLANK]
    turns = f"{conversation.turns} turn{'' if conversation.turns == 1 else 's'}"
    rows += [_heading("CONVERSATION", turns, width), *_token_rows(conversation, width), _BLANK]
    rows.append(Content.styled(LEGEND, "$quiet"))
    return Content("\n").join(row.truncate(width, ellipsis=True) for row in rows)


def figures_line(turn: TurnFigures) -> str:
    """Return the figures of a turn on one line, for screens without a sidebar; empty before the first turn."""
    if not turn.requests:
        return ""
    parts = [f"{turn.input.mark or turn.output.mark} {count(turn.input)}→{count(turn.output)}".strip()]
    parts += [f"{rate.value:.0f} tok/s" for rate in (_rate(turn),) if rate.value is not None]
    parts += [seconds(turn.ttft)] if turn.ttft.is_known else []
    parts += [f"ctx {percent(turn.context_share)}"] if turn.context_share is not None else []
    return " · ".join(parts)


def answer_line(turn: TurnFigures) -> str:
    """Return what a finished turn cost, for the line under its answer; empty when nothing is known."""
    if not turn.input.is_known and not turn.output.value:
        return ""
    mark = turn.output.mark or turn.input.mark
    parts = [f"{mark} {count(turn.input)} in", f"{count(turn.output)} out"]
    parts += [f"{rate.value:.0f} tok/s" for rate in (_rate(turn),) if rate.value is not None]
    parts += [seconds(turn.elapsed)] if turn.elapsed.is_known else []
    return " · ".join(parts)


_BLANK = Content("")


def _rate(turn: TurnFigures) -> Figure:
    return turn.tokens_per_second if turn.tokens_per_second.is_known else turn.mean_tokens_per_second


def _heading(title: str, note: str, width: int) -> Content:
    return Content.assemble((title, "bold"), (note.rjust(max(width - len(title), 0)), "$quiet"))


def _row(label: str, value: str, mark: str, tail: str = "") -> Content:
    gap = max(_VALUE_END - len(label), len(value) + 1)
    plain = f"{value.rjust(gap)} {mark or ' '}"
    return Content.assemble((label, "$quiet"), plain, (tail, "$accent"))


def _token_row(label: str, figure: Figure, total: Figure, width: int) -> Content:
    share = figure.value / total.value if figure.value is not None and total.value else None
    room = width - _BAR_START
    tail = "  " + bar(share, room) if share is not None and room >= 4 else ""
    mark = figure.mark + ("≠" if figure.other is not None else "")
    return _row(label, count(figure), mark, tail)


def _token_rows(figures: TurnFigures | ConversationFigures, width: int) -> list[Content]:
    total = figures.total
    rows = [
        _token_row("input", figures.input, total, width),
        _token_row(" cached", figures.cached, total, width),
        _token_row("reasoning", figures.reasoning, total, width),
        _token_row("answer", figures.answer, total, width),
    ]
    if figures.tool_calls.value:
        rows.append(_token_row("tool calls", figures.tool_calls, total, width))
    return [*rows, _row("total", count(total), total.mark)]


def _time_rows(turn: TurnFigures) -> list[Content]:
    rate = _rate(turn)
    return [
        _row("first token", seconds(turn.ttft), turn.ttft.mark),
        _row("first answer", seconds(turn.first_answer), turn.first_answer.mark),
        _row("speed", speed(rate), rate.mark),
        _row("elapsed", seconds(turn.elapsed), turn.elapsed.mark),
    ]


def _context_rows(turn: TurnFigures, width: int) -> list[Content]:
    share = turn.context_share
    window = count(turn.context_window)
    if share is None:
        note = f"window {window}" if turn.context_window.is_known else "window unknown"
        return [_heading("CONTEXT", note, width), Content.styled(bar(0, width), "$line")]
    tone = "$error" if share >= _FULL else "$warning" if share >= _NEARLY_FULL else "$accent"
    warning = "! " if share >= _NEARLY_FULL else ""
    note = f"{warning}{count(turn.context_used)} of {window}  {percent(share)}"
    return [_heading("CONTEXT", note, width), Content.styled(bar(share, width), tone)]
