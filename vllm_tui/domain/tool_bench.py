"""What a bench of tool calls is to do and what came of it: runs, rates with intervals, rows by effort, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vllm_tui.domain.messages import ToolSpec
    from vllm_tui.domain.values import JsonObject

DEFAULT_RUNS = 20
MAX_RUNS = 1000

Outcome = Literal["valid", "invalid", "unparsable", "wrong_tool", "no_call", "error"]
"""What one run came to; the worst of its calls counts."""

WORST: tuple[Outcome, ...] = ("unparsable", "wrong_tool", "invalid", "valid")
"""The outcomes of an answer with calls, worst first."""

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One request: its outcome, seconds from sending to the whole answer, and what was wrong, in plain words."""

    effort: str | None
    number: int
    outcome: Outcome
    calls: int
    seconds: float
    output_tokens: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `total` with Wilson's 95 % interval; all three fractions are None when there were no runs."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """Return the fraction."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the lower and upper bound (Wilson 1927, z = 1.96)."""
        if not self.total:
            return None
        share, square = self.count / self.total, _Z * _Z / self.total
        middle = (share + square / 2) / (1 + square)
        half = _Z * ((share * (1 - share) + square / 4) / self.total) ** 0.5 / (1 + square)
        low = 0.0 if self.count == 0 else max(0.0, middle - half)
        high = 1.0 if self.count == self.total else min(1.0, middle + half)
        return low, high


@dataclass(frozen=True, slots=True)
class BenchRow:
    """The runs of one effort. Requests that failed count in `errors` alone.

    `called` is of answered requests; `valid`, `unparsable` and `wrong_tool` are of those with a call.
    """

    effort: str | None
    runs: int
    errors: int
    called: Rate
    valid: Rate
    unparsable: Rate
    wrong_tool: Rate
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What is asked how often: `runs` times with each effort (None: as configured), `tools` offered and never run.

    `expected` names the tool that should be called; without it every offered tool is right.
    """

    prompt: str
    tools: tuple[ToolSpec, ...]
    runs: int = DEFAULT_RUNS
    efforts: tuple[str | None, ...] = (None,)
    expected: str | None = None
    tool_choice: str | None = None
    model: str | None = None
    system: str | None = None

    @property
    def requests(self) -> int:
        """Return how many requests it will make."""
        return self.runs * len(self.efforts)


def tool_choice_body(text: str | None) -> str | JsonObject | None:
    """Return what is sent for `auto`, `none`, `required` or the name of a tool."""
    return text if text in (None, "auto", "none", "required") else {"type": "function", "name": text}


def seconds_left(runs: Sequence[BenchRun], requests: int) -> float | None:
    """Return how long the rest of `requests` will take at the mean of those so far, None before the first."""
    if not runs:
        return None
    return sum(run.seconds for run in runs) / len(runs) * (requests - len(runs))


def plan_problem(plan: BenchPlan) -> str | None:
    """Say why a plan can't be run, or None."""
    names = [tool.name for tool in plan.tools]
    chosen = plan.tool_choice if plan.tool_choice not in (None, "auto", "none", "required") else None
    missing = next((name for name in (plan.expected, chosen) if name is not None and name not in names), None)
    if not names:
        return "no tool is offered"
    if not plan.prompt.strip():
        return "there is no prompt"
    if not 1 <= plan.runs <= MAX_RUNS:
        return f"the number of runs must be 1 to {MAX_RUNS:,}"
    if missing is not None:
        return f"{missing} is none of the offered tools ({', '.join(names)})"
    return None


def summarise(runs: Sequence[BenchRun]) -> tuple[BenchRow, ...]:
    """Return one row for each effort, in order of appearance."""
    return tuple(
        _row(effort, [run for run in runs if run.effort == effort]) for effort in dict.fromkeys(r.effort for r in runs)
    )


def _row(effort: str | None, runs: Sequence[BenchRun]) -> BenchRow:
    answered = [run for run in runs if run.outcome != "error"]
    called = [run for run in answered if run.outcome != "no_call"]
    counts = {outcome: sum(run.outcome == outcome for run in called) for outcome in WORST}
    times = sorted(run.seconds for run in answered)
    return BenchRow(
        effort=effort,
        runs=len(runs),
        errors=len(runs) - len(answered),
        called=Rate(len(called), len(answered)),
        valid=Rate(counts["valid"], len(called)),
        unparsable=Rate(counts["unparsable"], len(called)),
        wrong_tool=Rate(counts["wrong_tool"], len(called)),
        median_seconds=_median(times),
    )


def _median(times: Sequence[float]) -> float | None:
    if not times:
        return None
    middle = len(times) // 2
    return times[middle] if len(times) % 2 else (times[middle - 1] + times[middle]) / 2


def to_json(runs: Sequence[BenchRun], *, ascii_only: bool = False) -> str:
    """Return rows and runs as one JSON object; rates carry count, total, value and interval.

    `ascii_only` escapes the rest, for where a terminal may show it.
    """
    rows = [_flat(row) for row in summarise(runs)]
    return json.dumps({"rows": rows, "runs": [asdict(run) for run in runs]}, indent=2, ensure_ascii=ascii_only)


def to_csv(runs: Sequence[BenchRun]) -> str:
    """Return the runs as CSV (RFC 4180); cells that a spreadsheet would take for a formula begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = ("effort", "number", "outcome", "calls", "seconds", "output_tokens", "detail")
    writer.writerow(names)
    for run in runs:
        writer.writerow([safe_cell(_rounded(getattr(run, name))) for name in names])
    return out.getvalue()


def safe_cell(value: object) -> object:
    """Return a cell that no spreadsheet runs (OWASP: CSV injection)."""
    if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _flat(row: BenchRow) -> dict[str, object]:
    flat: dict[str, object] = {"effort": row.effort, "runs": row.runs, "errors": row.errors}
    for name in ("called", "valid", "unparsable", "wrong_tool"):
        rate: Rate = getattr(row, name)
        flat[name] = {"count": rate.count, "total": rate.total, "value": rate.value, "interval": rate.interval}
    return {**flat, "median_seconds": row.median_seconds}


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
