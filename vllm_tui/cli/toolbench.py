"""`vllm-tui toolbench`: measures how well a model calls the tools of a file; nothing the file names is run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from vllm_tui.cli.ask import EXIT_CODES, INTERRUPTED_BY_KEY, OTHER_FAILURE, served_model
from vllm_tui.cli.toolbench_table import progress_line, table_lines
from vllm_tui.domain.errors import ConfigurationError, VLLMError
from vllm_tui.domain.hygiene import clean_line
from vllm_tui.domain.tool_bench import DEFAULT_RUNS, BenchPlan, BenchRun, plan_problem, summarise, to_csv, to_json
from vllm_tui.settings.options import option_named

if TYPE_CHECKING:
    from vllm_tui.provider.client import VLLMProvider
    from vllm_tui.settings.layers import Settings

_EPILOG = """\
SPEC is a JSON file: one tool, a list, or {"tools": [...]}. A command in it is never run.
It makes N requests with each effort; --tool-choice auto, none, required or a name holds for all.
The table goes to standard output, progress to standard error; with --json standard output
is one JSON object. Ctrl+C prints what was measured so far.

Exit codes: 0 fine, 130 Ctrl+C; when no request was answered, that of the first error, as ask has them;
2 wrong settings or usage, 10 a file can't be written.
"""
_STORAGE = EXIT_CODES["storage"]


class _Measured:
    """The runs so far, and the error of the first that failed."""

    def __init__(self) -> None:
        self.runs: list[BenchRun] = []
        self.error: VLLMError | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vllm-tui toolbench`."""
    parser.add_argument("spec", metavar="SPEC", help="JSON file with the tools to offer")
    parser.add_argument("--prompt", metavar="TEXT", required=True, help="what to ask each time")
    parser.add_argument(
        "-n", type=int, dest="runs", metavar="N", default=DEFAULT_RUNS, help=f"requests per effort [{DEFAULT_RUNS}]"
    )
    parser.add_argument(
        "--effort", dest="efforts", metavar="A,B", help="efforts to compare, such as low,high [as configured]"
    )
    parser.add_argument("--expect", metavar="NAME", help="the tool that should be called [any that is offered]")
    parser.add_argument("--csv", metavar="FILE", help="write every run to this file (- for standard output)")
    parser.add_argument("--json", action="store_true", help="print rows and runs as one JSON object")
    parser.epilog = _EPILOG


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Measure, print, and return the exit code; raises ConfigurationError."""
    plan = _plan(arguments, settings)
    measured = _Measured()
    try:
        asyncio.run(_measure(plan, settings, measured, is_demo=getattr(arguments, "demo", False)))
    except KeyboardInterrupt:
        _tell(f"\nStopped by Ctrl+C after {len(measured.runs)} of {plan.requests} requests.")
        return _print(arguments, plan, measured) or INTERRUPTED_BY_KEY
    except ConfigurationError:
        raise
    except VLLMError as error:
        _tell(f"error: {error}")
        return EXIT_CODES.get(error.kind, OTHER_FAILURE)
    code = _print(arguments, plan, measured)
    if code == 0 and measured.error is not None and all(run.outcome == "error" for run in measured.runs):
        return EXIT_CODES.get(measured.error.kind, OTHER_FAILURE)
    return code


def _plan(arguments: argparse.Namespace, settings: Settings) -> BenchPlan:
    from vllm_tui.tools.registry import tool_problem
    from vllm_tui.tools.tool_files import load_tool_file

    path = Path(arguments.spec).expanduser()
    tools = load_tool_file(path)
    names = [tool.name for tool in tools]
    for tool in tools:
        problem = tool_problem(tool) or ("its name is there twice" if names.count(tool.name) > 1 else None)
        if problem is not None:
            raise ConfigurationError(f"The tool {tool.name!r} of {path} can't be offered: {problem}.")
    plan = BenchPlan(
        prompt=arguments.prompt,
        tools=tuple(tool.spec for tool in tools),
        runs=arguments.runs,
        efforts=_efforts(arguments.efforts) or (settings.text_or_none("reasoning"),),
        expected=arguments.expect,
        tool_choice=settings.text_or_none("tool_choice"),
        system=settings.text_or_none("instructions"),
    )
    if (problem := plan_problem(plan)) is not None:
        raise ConfigurationError(f"Nothing was asked: {problem}.")
    return plan


def _efforts(text: str | None) -> tuple[str, ...]:
    """Return the efforts of a list with commas, each once; raises ConfigurationError for one that no server takes."""
    allowed = option_named("reasoning").choices
    efforts = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",")))
    unknown = next((effort for effort in efforts if text is not None and effort not in allowed), None)
    if unknown is not None:
        raise ConfigurationError(f"There is no effort {unknown!r}.", hint=f"Efforts: {', '.join(allowed)}.")
    return efforts if text is not None else ()


async def _measure(plan: BenchPlan, settings: Settings, measured: _Measured, *, is_demo: bool) -> None:
    from vllm_tui.domain.response import ChatResponse
    from vllm_tui.tools.bench import request_of, run_bench
    from vllm_tui.wiring.parts import build_provider

    provider: VLLMProvider
    async with await asyncio.to_thread(build_provider, settings, demo=is_demo) as provider:
        plan = replace(plan, model=await served_model(provider, settings))
        progress = _Progress(sys.stderr, plan)

        async def ask(effort: str | None) -> ChatResponse:
            try:
                return await provider.complete(request_of(plan, effort))
            except VLLMError as error:
                measured.error = measured.error or error
                raise

        runs = run_bench(ask, plan.tools, runs=plan.runs, efforts=plan.efforts, expected=plan.expected)
        async with aclosing(runs):
            try:
                async for run in runs:
                    measured.runs.append(run)
                    progress.show(measured.runs)
            finally:
                progress.end()


class _Progress:
    """A bar that is redrawn on a terminal, a line for each run elsewhere."""

    def __init__(self, err: TextIO, plan: BenchPlan) -> None:
        self._err, self._plan = err, plan
        self._is_terminal = err.isatty()
        efforts = ", ".join(effort or "as configured" for effort in plan.efforts)
        names = ", ".join(tool.name for tool in plan.tools)
        _tell(f"{plan.requests} requests to {plan.model or 'the server'}: {plan.runs} per effort ({efforts}).")
        _tell(f"Tools: {names}. Expected: {plan.expected or 'any of them'}. Ctrl+C stops and prints what there is.")
        if self._is_terminal:
            self._write(f"\r{progress_line((), plan.requests)}\x1b[K")

    def show(self, runs: list[BenchRun]) -> None:
        """Show that one more run ended."""
        if self._is_terminal:
            self._write(f"\r{progress_line(runs, self._plan.requests)}\x1b[K")
            return
        run = runs[-1]
        effort = f"{run.effort}, " if run.effort else ""
        detail = f": {run.detail}" if run.detail else ""
        _tell(f"{len(runs)}/{self._plan.requests}  {effort}{run.outcome}, {run.seconds:.1f} s{detail[:300]}")

    def end(self) -> None:
        """Leave the line of the bar."""
        if self._is_terminal:
            self._write("\n")

    def _write(self, text: str) -> None:
        self._err.write(text)
        self._err.flush()


def _print(arguments: argparse.Namespace, plan: BenchPlan, measured: _Measured) -> int:
    runs = measured.runs
    if arguments.csv == "-":
        sys.stdout.write(to_csv(runs).replace("\r\n", "\n"))
    elif arguments.json:
        print(to_json(runs, ascii_only=True))
    elif runs:
        print("\n".join(table_lines(summarise(runs))))
        _explain(runs)
    else:
        _tell("Nothing was measured.")
    if arguments.csv in (None, "-"):
        return 0
    try:
        Path(arguments.csv).expanduser().write_text(to_csv(runs), encoding="utf-8", newline="")
    except OSError as error:
        _tell(f"error: {arguments.csv} can't be written: {error.strerror}.")
        return _STORAGE
    _tell(f"{len(runs)} runs written to {arguments.csv}.")
    return 0


def _explain(runs: list[BenchRun]) -> None:
    """Name what was wrong, each once with how often."""
    details: dict[tuple[str, str], int] = {}
    for run in runs:
        if run.outcome != "valid":
            key = (run.outcome, clean_line(run.detail)[:200])
            details[key] = details.get(key, 0) + 1
    for (outcome, detail), count in sorted(details.items(), key=lambda item: -item[1])[:5]:
        print(f"{count:>4} × {outcome.replace('_', ' ')}" + (f": {detail}" if detail else ""))


def _tell(text: str) -> None:
    print("\n".join(clean_line(line) for line in text.split("\n")), file=sys.stderr, flush=True)
