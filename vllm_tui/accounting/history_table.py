"""The turns of a conversation as a table of numbers, and the table as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from vllm_tui.accounting.figures import Figure, TurnFigures
from vllm_tui.accounting.stored import turn_figures
from vllm_tui.domain.turns import Turn

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn: tokens, seconds, tokens per second (None: unknown) and the weakest source of its tokens."""

    number: int
    question: str
    model: str
    effort: str
    status: str
    source: str
    input: int | None
    cached: int | None
    reasoning: int | None
    answer: int | None
    tool_calls: int | None
    tool_results: int | None
    total: int | None
    ttft: float | None
    first_answer: float | None
    elapsed: float | None
    tokens_per_second: float | None


def conversation_table(turns: Iterable[Turn]) -> list[TurnRow]:
    """Return a row for each turn, numbered from 1."""
    return [turn_row(number, turn, turn_figures(turn)) for number, turn in enumerate(turns, 1)]


def table_csv(rows: Sequence[TurnRow]) -> str:
    """Return the rows as CSV (RFC 4180) with a heading; text that a spreadsheet would run gets a leading '."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = [field.name for field in fields(TurnRow)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return out.getvalue()


def table_json(rows: Sequence[TurnRow]) -> str:
    """Return the rows as a JSON list of objects."""
    names = [field.name for field in fields(TurnRow)]
    return json.dumps([{name: getattr(row, name) for name in names} for row in rows], ensure_ascii=False, indent=1)


def turn_row(number: int, turn: Turn, figures: TurnFigures) -> TurnRow:
    """Return the row of one turn with the figures it has, such as those that were measured live."""
    return TurnRow(
        number=number,
        question=turn.question.text,
        model=turn.model,
        effort=turn.effort or "",
        status=turn.status,
        source=figures.source or "",
        input=_whole(figures.input),
        cached=_whole(figures.cached),
        reasoning=_whole(figures.reasoning),
        answer=_whole(figures.answer),
        tool_calls=_whole(figures.tool_calls),
        tool_results=_whole(figures.tool_results),
        total=_whole(figures.total),
        ttft=_seconds(figures.ttft),
        first_answer=_seconds(figures.first_answer),
        elapsed=_seconds(figures.elapsed),
        tokens_per_second=_seconds(figures.mean_tokens_per_second),
    )


def _cell(value: str | float | None) -> str | float:
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _whole(figure: Figure) -> int | None:
    return None if figure.value is None else int(figure.value)


def _seconds(figure: Figure) -> float | None:
    return None if figure.value is None else round(float(figure.value), 3)
