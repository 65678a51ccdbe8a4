"""The bench's table and progress bar as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from vllm_tui.domain.hygiene import clean_line
from vllm_tui.domain.tool_bench import BenchRow, BenchRun, Rate, seconds_left

_BAR = 30
_HEADINGS = ("effort", "runs", "called", "valid", "unparsable", "wrong tool", "median", "errors")
_LEGEND = "called: of answered requests; the next three: of those with a call. In brackets the 95 % interval (Wilson)."


def table_lines(rows: Sequence[BenchRow]) -> list[str]:
    """Return one line for each effort under a heading, and what the columns mean."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(_HEADINGS))]
    lines = ["  ".join(_placed(cell, widths[at], at) for at, cell in enumerate(line)).rstrip() for line in cells]
    return [*lines, _LEGEND]


def _placed(cell: str, width: int, place: int) -> str:
    return cell.ljust(width) if place == 0 else cell.rjust(width)


def _cells(row: BenchRow) -> tuple[str, ...]:
    median = "—" if row.median_seconds is None else f"{row.median_seconds:.1f} s"
    rates = (rate_text(rate) for rate in (row.called, row.valid, row.unparsable, row.wrong_tool))
    return (clean_line(row.effort or "default"), str(row.runs), *rates, median, str(row.errors))


def rate_text(rate: Rate) -> str:
    """Return a rate with its interval, such as `95 % [76–99]`."""
    if rate.value is None or rate.interval is None:
        return "—"
    low, high = rate.interval
    return f"{rate.value:.0%} [{low * 100:.0f}–{high * 100:.0f}]".replace("%", " %")


def progress_line(runs: Sequence[BenchRun], requests: int) -> str:
    """Return the bar with what is done and how long the rest will take."""
    done = len(runs)
    filled = done * _BAR // requests
    left = seconds_left(runs, requests)
    rest = "" if left is None or done == requests else f"  about {left:.0f} s left"
    wrong = sum(run.outcome not in ("valid", "error") for run in runs)
    errors = sum(run.outcome == "error" for run in runs)
    told = f"  {done - wrong - errors} valid, {wrong} not, {errors} errors" if runs else ""
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{requests}{told}{rest}"
