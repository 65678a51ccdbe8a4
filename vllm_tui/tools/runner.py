"""Runs one tool: time limit, output cap, cancellation. Whatever goes wrong becomes a result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from vllm_tui.domain.tool_runs import CallState
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.tools.output import MAX_CHARACTERS, show_output
from vllm_tui.tools.tool import Tool, ToolFailed, ToolOutput

_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a tool may run, in seconds, and how much of its output is kept, in characters."""

    seconds: float = 60.0
    characters: int = MAX_CHARACTERS


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended: `state` is done, failed or timed_out; `output` is what the model is told."""

    state: CallState
    output: JsonValue
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Return whether the run failed."""
        return self.state != "done"


async def run_tool(
    tool: Tool, arguments: JsonObject, limits: Limits, monotonic: Callable[[], float] = time.monotonic
) -> Ran:
    """Run a tool that has a program behind it. Cancelling the caller stops the tool first; nothing is left running."""
    assert tool.function is not None, "a tool without a program is answered by hand"
    begun = monotonic()
    task = asyncio.ensure_future(tool.function(arguments))
    try:
        done, _ = await asyncio.wait({task}, timeout=limits.seconds)
    finally:
        await _stop(task)
    seconds = monotonic() - begun
    if not done:
        words = f"{tool.name} was stopped: it took longer than {limits.seconds:g} seconds."
        return Ran("timed_out", words, seconds)
    return _ended(task, limits, seconds)


def _ended(task: asyncio.Future[ToolOutput], limits: Limits, seconds: float) -> Ran:
    if task.cancelled():
        return Ran("failed", "The tool gave up.", seconds)
    error = task.exception()
    if error is None:
        shown = show_output(task.result(), limits.characters)
        return Ran("done", shown.output, seconds, shown.notes)
    words = str(error) if isinstance(error, ToolFailed) else f"{type(error).__name__}: {error}"
    shown = show_output(words, limits.characters)
    return Ran("failed", shown.output, seconds, shown.notes)


async def _stop(task: asyncio.Future[ToolOutput]) -> None:
    """Cancel a task that still runs and wait for it to clean up, a few seconds at most."""
    if task.done():
        return
    task.cancel()
    await asyncio.wait({task}, timeout=_GRACE_SECONDS)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Future[ToolOutput]) -> None:
    """Take the error of a task nobody waits for, so that it is not reported as lost."""
    if not task.cancelled():
        task.exception()
