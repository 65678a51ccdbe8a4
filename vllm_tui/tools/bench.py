"""Measures how well a model calls tools: how often, how validly, and which; with intervals, since runs are few."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from vllm_tui.domain.errors import VLLMError
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.response import ChatResponse
from vllm_tui.tools.schema import oversize
from vllm_tui.tools.verdict import check_arguments

Ask = Callable[[str | None], Awaitable[ChatResponse]]
"""Makes one request with an effort (None: as configured) and returns the answer; raises VLLMError."""

Outcome = Literal["valid", "invalid", "unparsable", "wrong_tool", "no_call", "error"]
"""What one run came to; the worst of its calls counts."""

_WORST: tuple[Outcome, ...] = ("unparsable", "wrong_tool", "invalid", "valid")
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


async def run_bench(
    ask: Ask,
    tools: Sequence[ToolSpec],
    *,
    runs: int,
    efforts: Sequence[str | None] = (None,),
    expected: str | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[BenchRun]:
    """Ask `runs` times with each effort in turn and yield each run as it ends.

    `expected` names the tool that should be called; without it every offered tool is right. Efforts take turns, so
    that a server that warms up favours none.
    """
    for number in range(runs):
        for effort in efforts:
            begun = monotonic()
            try:
                response = await ask(effort)
            except VLLMError as error:
                yield BenchRun(effort, number, "error", 0, monotonic() - begun, detail=str(error))
                continue
            seconds = monotonic() - begun
            outcome, detail = await asyncio.to_thread(judge, response, tools, expected)
            tokens = response.usage.output_tokens if response.usage else None
            yield BenchRun(effort, number, outcome, len(response.tool_calls), seconds, tokens, detail)


def judge(response: ChatResponse, tools: Sequence[ToolSpec], expected: str | None = None) -> tuple[Outcome, str]:
    """Return the outcome of an answer, and what was wrong with its worst call."""
    if not response.tool_calls:
        return "no_call", response.text[:200]
    declared = {tool.name: tool for tool in tools}
    found: dict[Outcome, str] = {}
    for call in response.tool_calls:
        tool = declared.get(call.name)
        if isinstance(call.input, str):
            found.setdefault("unparsable", call.problem or "no JSON object")
        elif tool is None or call.name != (expected or call.name):
            found.setdefault("wrong_tool", f"called {call.name[:64]}")
        elif oversize(call.input):
            found.setdefault("invalid", f"the arguments are {oversize(call.input)}")
        else:
            problems = check_arguments(tool.parameters, call.input).problems
            words = "; ".join(f"{entry.path or 'arguments'}: {entry.problem}" for entry in problems[:3])
            found.setdefault("invalid" if problems else "valid", words)
    worst = next(outcome for outcome in _WORST if outcome in found)
    return worst, found[worst]


def summarise(runs: Sequence[BenchRun]) -> tuple[BenchRow, ...]:
    """Return one row for each effort, in order of appearance."""
    return tuple(
        _row(effort, [run for run in runs if run.effort == effort]) for effort in dict.fromkeys(r.effort for r in runs)
    )


def _row(effort: str | None, runs: Sequence[BenchRun]) -> BenchRow:
    answered = [run for run in runs if run.outcome != "error"]
    called = [run for run in answered if run.outcome != "no_call"]
    counts = {outcome: sum(run.outcome == outcome for run in called) for outcome in _WORST}
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


def to_json(runs: Sequence[BenchRun]) -> str:
    """Return rows and runs as one JSON object; rates carry count, total, value and interval."""
    rows = [_flat(row) for row in summarise(runs)]
    return json.dumps({"rows": rows, "runs": [asdict(run) for run in runs]}, indent=2, ensure_ascii=False)


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
