"""`vllm-tui toolbench`: asks the same question many times and measures how well the model calls tools."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_tui.cli.ask import EXIT_CODES, OTHER_FAILURE
from vllm_tui.domain.errors import ConfigurationError, VLLMError
from vllm_tui.domain.hygiene import clean_line

if TYPE_CHECKING:
    from vllm_tui.domain.messages import ToolSpec
    from vllm_tui.domain.request import ChatRequest
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.settings.layers import Settings
    from vllm_tui.tools.bench import BenchRow, BenchRun, Rate

MOST_RUNS = 10_000
_EPILOG = """\
SPEC is a JSON file with tools; they are offered, never run. One line a run goes to standard error, the table to
standard output: how often a tool was called, how often validly, how often its arguments could not be read, how often
it was another tool, each with Wilson's 95 % interval. --effort low,high compares efforts, which take turns. Ctrl+C ends
early and shows what was measured.

Exit codes: 0 measured, 2 wrong settings or usage, 130 ended early; when every request failed, the code `ask` has for
its error.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked, how often, and what would be right."""

    tools: tuple[ToolSpec, ...]
    prompt: str
    runs: int
    efforts: tuple[str | None, ...]
    expected: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vllm-tui toolbench`."""
    parser.add_argument("spec", metavar="SPEC", help="JSON file with the tools to offer")
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="what to ask each time")
    parser.add_argument("-n", type=int, default=5, metavar="N", dest="runs", help="requests for each effort [5]")
    parser.add_argument("--expect", metavar="NAME", help="the tool that should be called; else any of SPEC")
    parser.add_argument("--json", action="store_true", help="rows and runs as JSON on standard output")
    parser.add_argument("--csv", metavar="FILE", help="write every run to this file")
    parser.epilog = _EPILOG


def prepare(arguments: argparse.Namespace) -> None:
    """Take `--effort low,high` as several efforts; one alone stays what it is elsewhere."""
    given = getattr(arguments, "reasoning", None)
    words = [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else []
    arguments.efforts = tuple(words) or (None,)
    if len(words) > 1:
        del arguments.reasoning


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Measure, print and return the exit code; raises ConfigurationError."""
    plan = plan_of(arguments)
    measured: list[BenchRun] = []
    last: list[VLLMError] = []
    is_demo = bool(getattr(arguments, "demo", False))
    try:
        asyncio.run(_measure(plan, settings, measured, last, is_demo=is_demo))
    except KeyboardInterrupt:
        print(f"ended early after {len(measured)} of {plan.runs * len(plan.efforts)} requests", file=sys.stderr)
        _report(arguments, measured)
        return 130
    _report(arguments, measured)
    if measured and all(entry.outcome == "error" for entry in measured) and last:
        return EXIT_CODES.get(last[-1].kind, OTHER_FAILURE)
    return 0


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return what the command line asks for; raises ConfigurationError."""
    from vllm_tui.tools.registry import tool_problem
    from vllm_tui.tools.tool_files import load_tool_file

    tools = load_tool_file(Path(arguments.spec))
    for tool in tools:
        if problem := tool_problem(tool):
            raise ConfigurationError(
                f"The tool {clean_line(tool.name)} of {arguments.spec} can't be offered: {problem}."
            )
    names = [tool.name for tool in tools]
    if arguments.expect is not None and arguments.expect not in names:
        raise ConfigurationError(f"--expect names no tool of {arguments.spec}.", hint=f"It has: {', '.join(names)}.")
    if not 1 <= arguments.runs <= MOST_RUNS:
        raise ConfigurationError(f"-n must be from 1 to {MOST_RUNS}.")
    specs = tuple(tool.spec for tool in tools)
    return Plan(specs, arguments.prompt, arguments.runs, arguments.efforts, arguments.expect)


async def _measure(
    plan: Plan, settings: Settings, measured: list[BenchRun], errors: list[VLLMError], *, is_demo: bool
) -> None:
    from vllm_tui.cli.ask import served_model
    from vllm_tui.tools.bench import run_bench
    from vllm_tui.wiring.parts import build_provider

    provider = await asyncio.to_thread(build_provider, settings, demo=is_demo)
    async with provider:
        model = await served_model(provider, settings)
        total = plan.runs * len(plan.efforts)
        print(f"{total} request{'' if total == 1 else 's'} to {clean_line(model)}", file=sys.stderr)

        async def ask(effort: str | None) -> ChatResponse:
            try:
                return await provider.complete(_request(plan, settings, model, effort))
            except VLLMError as error:
                errors.append(error)
                raise

        progress = Progress(total)
        async for entry in run_bench(ask, plan.tools, runs=plan.runs, efforts=plan.efforts, expected=plan.expected):
            measured.append(entry)
            progress.show(entry, len(measured))
        progress.close()


def _request(plan: Plan, settings: Settings, model: str, effort: str | None) -> ChatRequest:
    from vllm_tui.domain.messages import Message
    from vllm_tui.domain.request import ChatRequest
    from vllm_tui.engine.turn_run import tool_choice_of

    system = settings.text_or_none("instructions")
    messages = [Message(role="system", content=system)] if system else []
    return ChatRequest(
        messages=(*messages, Message(role="user", content=plan.prompt)),
        tools=plan.tools,
        tool_choice=tool_choice_of(settings.text_or_none("tool_choice")),
        model=model,
        reasoning_effort=effort or settings.text_or_none("reasoning"),
    )


class Progress:
    """A bar on a terminal, a line for each run elsewhere; on standard error."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._is_terminal = sys.stderr.isatty()

    def show(self, entry: BenchRun, done: int) -> None:
        """Show that a run ended."""
        if self._is_terminal:
            width = max(min(os.get_terminal_size(sys.stderr.fileno()).columns - 40, 40), 10)
            full = done * width // self._total
            words = f"{done} of {self._total}  last: {entry.outcome}, {entry.seconds:.1f} s"
            print(f"\r{'█' * full}{'░' * (width - full)}  {words}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            detail = f": {clean_line(entry.detail)[:200]}" if entry.detail else ""
            effort = f" effort {entry.effort}" if entry.effort else ""
            words = f"{done}/{self._total}{effort} {entry.outcome} {entry.seconds:.2f} s{detail}"
            print(words, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line of the bar."""
        if self._is_terminal:
            print(file=sys.stderr)


def _report(arguments: argparse.Namespace, measured: Sequence[BenchRun]) -> None:
    from vllm_tui.tools.bench import summarise, to_csv, to_json

    if arguments.csv is not None:
        try:
            Path(arguments.csv).write_text(to_csv(measured), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{arguments.csv} can't be written: {error.strerror}.") from error
    if arguments.json:
        print(to_json(measured))
    else:
        print(table(summarise(measured)))


def table(rows: Sequence[BenchRow]) -> str:
    """Return the rows as a table: shares in percent with their intervals, and the median seconds of an answer."""
    head = ("effort", "runs", "errors", "called", "valid", "unparsable", "wrong tool", "median")
    lines: list[tuple[str, ...]] = [head]
    for row in rows:
        shares = [share(rate) for rate in (row.called, row.valid, row.unparsable, row.wrong_tool)]
        seconds = "–" if row.median_seconds is None else f"{row.median_seconds:.2f} s"
        lines.append((row.effort or "default", str(row.runs), str(row.errors), *shares, seconds))
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def share(rate: Rate) -> str:
    """Return a rate as `80 % (49–94)`, or a dash when there was nothing to count."""
    interval = rate.interval
    if rate.value is None or interval is None:
        return "–"
    return f"{rate.value:.0%} ({interval[0] * 100:.0f}–{interval[1] * 100:.0f})".replace("%", " %")
