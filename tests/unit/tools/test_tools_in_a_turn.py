"""The toolbox inside the turn loop: a call is run, answered, and the model goes on; history is always complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import count

from vllm_tui.domain.blocks import Block, TextBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.events import BlockFinished, BlockStarted, ResponseFinished, StreamEvent
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.tool_runs import CallRequest, Decision, Refuse
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.conversation import Conversation
from vllm_tui.engine.events import ToolRunFinished, TurnFinished
from vllm_tui.engine.memory import MemoryTranscript
from vllm_tui.tools.policy import Policy, exact_pattern
from vllm_tui.tools.sources import ToolSources
from vllm_tui.tools.toolbox import CheckedToolbox


class Scripted:
    """A provider that gives one prepared answer after another."""

    def __init__(self, *answers: Block) -> None:
        self.requests: list[ChatRequest] = []
        self._answers = iter(answers)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        self.requests.append(request)
        block = next(self._answers)
        if isinstance(block, ToolCallBlock):
            yield BlockStarted(0, "tool_call", block.name, block.id)
        else:
            yield BlockStarted(0, "text")
        yield BlockFinished(0, block)
        yield ResponseFinished(ChatResponse(content=(block,)))

    async def list_models(self) -> tuple[ModelInfo, ...]:
        return ()


class Ticks:
    def __init__(self) -> None:
        self._ticks = count()

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return float(next(self._ticks))


class Refuser:
    async def decide(self, request: CallRequest) -> Decision:
        return Refuse("not today")


async def outputs(provider: Scripted, toolbox: CheckedToolbox) -> tuple[list[object], Turn]:
    found: list[object] = []
    conversation = Conversation(provider, MemoryTranscript(), Ticks(), toolbox=toolbox)
    async for event in conversation.ask("What is the weather in Paris?"):
        if isinstance(event, ToolRunFinished):
            block = event.result.content[0]
            assert isinstance(block, ToolResultBlock)
            found.append(block.output)
        if isinstance(event, TurnFinished):
            return found, event.turn
    raise AssertionError


async def test_a_call_is_run_and_the_model_goes_on_with_the_result() -> None:
    call = ToolCallBlock(id="c1", name="get_weather", input={"city": "Paris"})
    provider = Scripted(call, TextBlock(text="Windy."))
    registry, policy = ToolSources(is_demo=True).registry, Policy()
    weather = registry.offered("get_weather")
    assert weather is not None
    policy.remember(weather, exact_pattern({"city": "Paris"}))
    found, turn = await outputs(provider, CheckedToolbox(registry, policy))
    assert [entry["source"] for entry in found if isinstance(entry, dict)] == ["demo data, not real"]
    assert [message.role for message in turn.messages] == ["user", "assistant", "tool", "assistant"]
    assert [spec.name for spec in provider.requests[0].tools] == ["current_time", "calculator", "stub", "get_weather"]
    assert provider.requests[1].messages[-1].tool_call_id == "c1"


async def test_a_refused_an_unknown_and_a_broken_call_are_answered_too() -> None:
    calls = (
        ToolCallBlock(id="c1", name="stub", input={}),
        ToolCallBlock(id="c2", name="rm", input={}),
        ToolCallBlock(id="c3", name="calculator", input="{", problem="not JSON"),
    )
    provider = Scripted(*calls, TextBlock(text="Sorry."))
    toolbox = CheckedToolbox(ToolSources().registry, approver=Refuser())
    found, turn = await outputs(provider, toolbox)
    assert found == [
        "The person refused this call. Reason: not today",
        "There is no tool called 'rm'. Tools: current_time, calculator, stub.",
        "The arguments can't be used, nothing ran. arguments: not JSON.",
    ]
    assert turn.status == "completed"
    assert [record.state for record in toolbox.records] == ["refused", "unknown", "invalid"]
