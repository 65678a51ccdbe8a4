"""Runs the bench: asks again and again with the same tools, and judges each answer by its worst call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from vllm_tui.domain.errors import ProtocolError, VLLMError
from vllm_tui.domain.events import ResponseFinished, StreamEvent
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.domain.tool_bench import WORST, BenchPlan, BenchRun, Outcome, tool_choice_body
from vllm_tui.tools.schema import oversize
from vllm_tui.tools.verdict import check_arguments

Ask = Callable[[str | None], Awaitable[ChatResponse]]
"""Makes one request with an effort (None: as configured) and returns the answer; raises VLLMError."""


def request_of(plan: BenchPlan, effort: str | None) -> ChatRequest:
    """Return the request that a plan repeats, with one of its efforts; nothing it names is ever run."""
    messages: tuple[Message, ...] = (Message(role="user", content=plan.prompt),)
    if plan.system:
        messages = (Message(role="system", content=plan.system), *messages)
    return ChatRequest(
        messages=messages,
        tools=plan.tools,
        model=plan.model,
        tool_choice=tool_choice_body(plan.tool_choice),
        reasoning_effort=effort,
    )


class Streams(Protocol):
    """Anything that streams answers; raises VLLMError."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of one answer."""
        ...


async def run_plan(provider: Streams, plan: BenchPlan) -> AsyncGenerator[BenchRun, None]:
    """Carry out a plan with a provider and yield each run as it ends."""

    async def ask(effort: str | None) -> ChatResponse:
        async with aclosing(provider.stream(request_of(plan, effort))) as events:
            async for event in events:
                if isinstance(event, ResponseFinished):
                    return event.response
        raise ProtocolError("The answer ended without a response.")

    bench = run_bench(ask, plan.tools, runs=plan.runs, efforts=plan.efforts, expected=plan.expected)
    async with aclosing(bench) as runs:
        async for run in runs:
            yield run


async def run_bench(
    ask: Ask,
    tools: Sequence[ToolSpec],
    *,
    runs: int,
    efforts: Sequence[str | None] = (None,),
    expected: str | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[BenchRun, None]:
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
    worst = next(outcome for outcome in WORST if outcome in found)
    return worst, found[worst]
