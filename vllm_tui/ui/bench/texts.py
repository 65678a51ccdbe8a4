"""How the bench is drawn: the form, the bar of progress, rates with their intervals, and the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from vllm_tui.domain.tool_bench import BenchRow, BenchRun, Outcome, Rate, seconds_left
from vllm_tui.ui.bench.state import effort_word, listed
from vllm_tui.ui.content import shown_line

if TYPE_CHECKING:
    from vllm_tui.ui.bench.state import Bench

FIELDS = ("Prompt", "Tools", "Expected", "Tool choice", "Efforts", "Runs")
_NAME, _EFFORT, _RUNS, _MEDIAN, _ERRORS = 13, 9, 5, 9, 7
_TOKENS_FROM = 100
_LEAST_BAR, _MOST_BAR, _PERCENT, _INTERVAL = 5, 16, 6, 8
_TONES: dict[Outcome, str] = {
    "valid": "$success",
    "invalid": "$warning",
    "unparsable": "$warning",
    "wrong_tool": "$warning",
    "no_call": "$quiet",
    "error": "$error",
}


def form_lines(bench: Bench, width: int) -> list[Content]:
    """Return one line for each field."""
    wanted = bench.wanted()
    values = (
        (shown_line(bench.prompt) if bench.prompt.strip() else "", "none yet: Enter writes one"),
        (listed([tool.name for tool in wanted.tools], ""), "none: Enter chooses"),
        (wanted.expected or "", "any of the tools"),
        (bench.tool_choice or "", "as configured"),
        (listed([effort_word(effort) for effort in bench.efforts], ""), "none"),
        (f"{bench.count} with each effort, {wanted.requests:,} requests", ""),
    )
    return [_field(name, *value, width) for name, value in zip(FIELDS, values, strict=True)]


def _field(name: str, value: str, otherwise: str, width: int) -> Content:
    told = Content(shown_line(value)) if value else Content.styled(otherwise, "$quiet")
    return Content.assemble((name.ljust(_NAME), "$quiet"), told).truncate(width, ellipsis=True)


def progress(runs: Sequence[BenchRun], requests: int, waited: float, width: int) -> Content:
    """Return the bar with what is done, how long this request runs and how long the rest will take."""
    done = len(runs)
    left = seconds_left(runs, requests)
    rest = "" if left is None else f"   about {_time(max(left - waited, 0))} left"
    told = f"  {done:,} of {requests:,}   this one {_time(waited)}{rest}"
    room = max(width - len(told), 8)
    filled = done * room // requests
    return Content.assemble(("━" * filled, "$accent"), ("─" * (room - filled), "$line"), told)


def _time(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02} s"


def heading(width: int) -> Content:
    """Return the names of the columns."""
    rate = _rate_width(width)
    names = "".join(name.ljust(rate) for name in ("called", "valid", "unparsable", "wrong tool"))
    text = f"{'effort':<{_EFFORT}}{'runs':>{_RUNS - 2}}  {names}{'median':>{_MEDIAN - 1}}{'errors':>{_ERRORS}}"
    return Content.styled(text, "$quiet")


def row_line(row: BenchRow, width: int) -> Content:
    """Return the figures of one effort, its rates with intervals as bars."""
    room = _rate_width(width)
    rates = [
        (row.called, "$success"),
        (row.valid, "$success"),
        (row.unparsable, "$warning"),
        (row.wrong_tool, "$warning"),
    ]
    median = "—" if row.median_seconds is None else f"{row.median_seconds:.1f} s"
    name = shown_line(effort_word(row.effort))[: _EFFORT - 1]
    return Content.assemble(
        f"{name:<{_EFFORT}}{row.runs:>{_RUNS - 2}}  ",
        *(rate_cell(rate, tone, room) for rate, tone in rates),
        f"{median:>{_MEDIAN - 1}}",
        (f"{row.errors:>{_ERRORS}}", "$error" if row.errors else "$quiet"),
    )


def _rate_width(width: int) -> int:
    return max((width - _EFFORT - _RUNS - _MEDIAN - _ERRORS) // 4, _LEAST_BAR + _PERCENT + 1)


def rate_cell(rate: Rate, tone: str, room: int) -> Content:
    """Return a rate as a bar from 0 to 100 % with its interval, the percentage, and the bounds where there is room."""
    with_bounds = room >= _LEAST_BAR + _PERCENT + _INTERVAL + 2
    bar = min(room - _PERCENT - 1 - (_INTERVAL if with_bounds else 0), _MOST_BAR)
    if rate.value is None or rate.interval is None:
        return Content.assemble(("·" * bar, "$line"), ("—".rjust(4), "$quiet")).pad_right(max(room - bar - 4, 0))
    low, high = (round(bound * (bar - 1)) for bound in rate.interval)
    at = round(rate.value * (bar - 1))
    bounds = f"{rate.interval[0] * 100:.0f}–{rate.interval[1] * 100:.0f}" if with_bounds else ""
    cell = Content.assemble(
        ("·" * low, "$line"),
        ("─" * (at - low), tone),
        ("●", tone),
        ("─" * (high - at), tone),
        ("·" * (bar - 1 - high), "$line"),
        f"{rate.value * 100:>4.0f}%",
        (f" {bounds}" if bounds else "", "$quiet"),
    )
    return cell.pad_right(max(room - cell.cell_length, 0))


def run_line(run: BenchRun, width: int) -> Content:
    """Return one run: its number, effort, outcome, time, tokens and what was wrong."""
    tokens = "" if run.output_tokens is None else f"{run.output_tokens:,} tokens"
    column = f"{tokens:>13}  " if width >= _TOKENS_FROM else ""
    detail = " ".join(shown_line(run.detail[:500]).split())
    return Content.assemble(
        (f"{run.number + 1:>4}  ", "$quiet"),
        f"{shown_line(effort_word(run.effort)):<{_EFFORT}}",
        (f"{outcome_word(run.outcome):<12}", _TONES[run.outcome]),
        f"{run.seconds:>6.1f} s  ",
        (column, "$quiet"),
        detail,
    ).truncate(width, ellipsis=True)


def outcome_word(outcome: Outcome) -> str:
    """Return an outcome as a person reads it."""
    return outcome.replace("_", " ")


def run_detail(run: BenchRun) -> Content:
    """Return what one run came to, in full."""
    words = {
        "valid": "Every call names an offered tool and fits its schema.",
        "no_call": "The model answered without a call.",
        "error": "The request failed.",
        "invalid": "The arguments do not fit the schema.",
        "unparsable": "The arguments are no JSON object.",
        "wrong_tool": "Another tool was called than expected.",
    }[run.outcome]
    calls = f" {run.calls} calls." if run.calls > 1 else ""
    detail = f" {shown_line(run.detail)}" if run.detail else ""
    return Content.assemble((f"{words}{calls}", _TONES[run.outcome]), detail)
