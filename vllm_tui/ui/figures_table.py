"""The turns of a conversation as lines of a table, with a bar for each: what fits a width, the rest left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.content import Content

from vllm_tui.accounting.figures import MARKS, ConversationFigures, Figure, TurnFigures
from vllm_tui.ui.content import shown_line
from vllm_tui.ui.figures_text import ANSWER, INPUT, UNKNOWN_TEXT, cells, compact, seconds, stacked

AnyFigures = TurnFigures | ConversationFigures

_HEAD = 7
_LEAST_QUESTION, _MOST_QUESTION = 13, 60
_LEAST_BAR, _MOST_BAR = 10, 40
_UNKNOWN = Figure()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of numbers; the higher its rank, the sooner it is left out."""

    title: str
    width: int
    rank: int
    figure: str
    show: Callable[[Figure, int], str]


def _tokens(figure: Figure, room: int) -> str:
    return compact(figure, room)


def _time(figure: Figure, _room: int) -> str:
    return seconds(figure)


def _rate(figure: Figure, _room: int) -> str:
    return UNKNOWN_TEXT if figure.value is None else f"{figure.value:,.1f}"


COLUMNS = (
    Column("input", 9, 0, "input", _tokens),
    Column("cached", 10, 4, "cached", _tokens),
    Column("reasoning", 10, 2, "reasoning", _tokens),
    Column("answer", 8, 1, "answer", _tokens),
    Column("calls", 8, 5, "tool_calls", _tokens),
    Column("results", 8, 7, "tool_results", _tokens),
    Column("total", 9, 0, "total", _tokens),
    Column("1st token", 10, 4, "ttft", _time),
    Column("1st answer", 11, 6, "first_answer", _time),
    Column("time", 9, 1, "elapsed", _time),
    Column("tok/s", 8, 3, "mean_tokens_per_second", _rate),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns fit a width, and how wide question and bar are."""

    columns: tuple[Column, ...]
    question: int
    bar: int


def lay_out(width: int) -> Layout:
    """Return the columns for `width`; question and bar share what is left over."""
    room = width - _HEAD - _LEAST_QUESTION - _LEAST_BAR - 2
    columns = list(COLUMNS)
    while columns and sum(column.width for column in columns) > room:
        columns.remove(max(columns, key=lambda column: column.rank))
    spare = max(0, room - sum(column.width for column in columns))
    question = min(_MOST_QUESTION, _LEAST_QUESTION + spare * 2 // 3)
    return Layout(tuple(columns), question, min(_MOST_BAR, _LEAST_BAR + spare - (question - _LEAST_QUESTION)))


def heading(layout: Layout) -> Content:
    """Return the titles of the columns."""
    titles = "".join(column.title.rjust(column.width) for column in layout.columns)
    keys = Content.assemble((INPUT.glyph, INPUT.style), (" in ", "$quiet"), (ANSWER.glyph, ANSWER.style), " out")
    return Content.assemble((f"{'#':>3}    {'question'.ljust(layout.question)}{titles}  ", "bold"), keys)


def turn_line(number: int, question: str, figures: TurnFigures, most: float, layout: Layout) -> Content:
    """Return the line of one turn; `most` is the total of the largest turn, which the bars are measured by."""
    title = Content(shown_line(question)).truncate(layout.question - 1, ellipsis=True)
    gap = " " * (layout.question - title.cell_length)
    whole = float(figures.total.value or 0)
    length = cells([whole, max(0.0, most - whole)], layout.bar)[0]
    sizes = [(float(figures.input.value or 0), INPUT), (float(figures.output.value or 0), ANSWER)]
    bar = stacked(sizes, length) if length else Content("")
    return Content.assemble(
        (f"{number:>3} ", "$quiet"), flags(figures), title, gap, *_numbers(figures, layout), "  ", bar
    )


def totals_line(figures: ConversationFigures, layout: Layout) -> Content:
    """Return the sums over all turns."""
    label = "all turns" if figures.turns != 1 else "one turn"
    mark = MARKS[figures.source] if figures.source else " "
    return Content.assemble(f"    {mark}  {label.ljust(layout.question)}", *_numbers(figures, layout)).stylize("bold")


def flags(figures: TurnFigures) -> Content:
    """Return the mark of the weakest token figure, ≠ where sources disagree, ! where the server cut the input."""
    mark = MARKS[figures.source] if figures.source else " "
    tokens = (figures.input, figures.cached, figures.output, figures.reasoning, figures.answer, figures.total)
    sign = "!" if figures.input_cut else "≠" if any(figure.other is not None for figure in tokens) else " "
    return Content.assemble(mark, (sign, "$warning"), " ")


def _numbers(figures: AnyFigures, layout: Layout) -> list[Content]:
    found = []
    for column in layout.columns:
        figure: Figure = getattr(figures, column.figure, _UNKNOWN)
        is_summed = hasattr(figures, column.figure)
        text = column.show(figure, column.width - 1) if is_summed else ""
        found.append(Content.styled(text.rjust(column.width), "" if figure.is_known else "$quiet"))
    return found
