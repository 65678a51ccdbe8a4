"""A scripted provider, transcript, toolbox and clock for the tests of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from vllm_tui.domain.blocks import Block, TextBlock, ThinkingBlock, ToolCallBlock
from vllm_tui.domain.errors import StorageError, VLLMError
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, ResponseFinished, StreamEvent
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.memory import MemoryTranscript

Step = StreamEvent | VLLMError | asyncio.Event
Script = Sequence[Step]


class StillClock:
    """Goes on by one second whenever it is read; the wall clock stands at 1000."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds


class Journal(MemoryTranscript):
    """A transcript that writes down what was done in which order and may fail on demand."""

    def __init__(self, log: list[str] | None = None) -> None:
        super().__init__()
        self.log: list[str] = [] if log is None else log
        self.states: list[Turn] = []
        self.failing: set[str] = set()
        self.gate: asyncio.Event | None = None

    async def start_turn(self, turn: Turn) -> None:
        await self._do("start", turn)
        await super().start_turn(turn)

    def note_progress(self, turn: Turn) -> None:
        self.log.append("progress")
        self.states.append(turn)
        super().note_progress(turn)

    async def finish_turn(self, turn: Turn) -> None:
        await self._do(f"finish {turn.status}", turn)
        await super().finish_turn(turn)

    @property
    def problem(self) -> StorageError | None:
        return StorageError("The disk is full.") if "progress" in self.failing else None

    async def _do(self, what: str, turn: Turn) -> None:
        self.log.append(what)
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if what.split(maxsplit=1)[0] in self.failing:
            raise StorageError("The disk is full.", hint="Free some space.")
        self.states.append(turn)


class ScriptedProvider:
    """Plays one script for each request; errors among the steps are raised, events of asyncio are waited for."""

    def __init__(self, *scripts: Script, log: list[str] | None = None) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []
        self.log: list[str] = [] if log is None else log
        self.open_streams = 0

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        self.log.append("request")
        self.requests.append(request)
        self.open_streams += 1
        try:
            for step in self.scripts.pop(0):
                await asyncio.sleep(0)
                if isinstance(step, VLLMError):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield step
        finally:
            self.open_streams -= 1

    async def list_models(self) -> tuple[ModelInfo, ...]:
        return ()


class ScriptedToolbox:
    """Offers `look` and answers every call with its id, after the gate of that call, if there is one."""

    def __init__(self) -> None:
        self.specs: Sequence[ToolSpec] = (ToolSpec(name="look"),)
        self.gates: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self.running = 0

    async def run(self, call: ToolCallBlock) -> Message:
        self.calls.append(call.id)
        self.running += 1
        try:
            await asyncio.sleep(0)
            if call.id in self.gates:
                await self.gates[call.id].wait()
        finally:
            self.running -= 1
        return result_of(call.id)


def call(call_id: str) -> ToolCallBlock:
    return ToolCallBlock(id=call_id, name="look", input={"at": call_id}, raw_arguments=f'{{"at": "{call_id}"}}')


def result_of(call_id: str) -> Message:
    return Message(role="tool", tool_call_id=call_id, name="look", content=f"result of {call_id}")


def answer(*blocks: Block, **fields: Any) -> list[Step]:
    """Return the events of a whole answer, text in two deltas."""
    steps: list[Step] = []
    for index, block in enumerate(blocks):
        steps += block_events(index, block)
    return [*steps, ResponseFinished(ChatResponse(content=blocks, **fields))]


def block_events(index: int, block: Block) -> list[Step]:
    match block:
        case TextBlock(text=text):
            kind, shown = "text", text
        case ThinkingBlock(thinking=thinking):
            kind, shown = "thinking", thinking
        case ToolCallBlock(raw_arguments=raw):
            kind, shown = "tool_call", raw or ""
        case _:
            raise AssertionError(block)
    half = len(shown) // 2
    return [
        BlockStarted(index, kind),  # type: ignore[arg-type]
        BlockDelta(index, kind, shown[:half]),  # type: ignore[arg-type]
        BlockDelta(index, kind, shown[half:]),  # type: ignore[arg-type]
        BlockFinished(index, block),
    ]
