"""Runs the calls of one answer at once and reports them as they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from vllm_tui.domain.blocks import ToolCallBlock
from vllm_tui.domain.messages import Message
from vllm_tui.engine.ports import Clock, Toolbox


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """Call number `index` of the answer, its result, and how long it took."""

    index: int
    result: Message
    seconds: float


async def answer_calls(
    toolbox: Toolbox, calls: Sequence[ToolCallBlock], clock: Clock
) -> AsyncGenerator[AnsweredCall, None]:
    """Yield each call's answer when it is known; closing the generator cancels the calls that still run."""
    running = {asyncio.ensure_future(_answer(toolbox, call, index, clock)) for index, call in enumerate(calls)}
    try:
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for answered in sorted((task.result() for task in done), key=lambda answer: answer.index):
                yield answered
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _answer(toolbox: Toolbox, call: ToolCallBlock, index: int, clock: Clock) -> AnsweredCall:
    begun = clock.monotonic()
    result = await toolbox.run(call)
    return AnsweredCall(index, result, clock.monotonic() - begun)
