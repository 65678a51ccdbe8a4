"""Tool calls of a running vLLM, through the turn loop and the toolbox; needs the server that plays `[[script:...]]`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from tests.live.test_live_provider import URL, WEATHER
from vllm_tui.domain.blocks import ToolResultBlock
from vllm_tui.domain.messages import ToolSpec
from vllm_tui.domain.tool_runs import AnswerByHand, CallRequest, Decision, Refuse, RunEdited, RunOnce
from vllm_tui.domain.turns import Turn
from vllm_tui.domain.values import JsonObject, JsonValue
from vllm_tui.engine.conversation import Conversation, TurnSettings
from vllm_tui.engine.events import TurnFinished
from vllm_tui.engine.memory import MemoryTranscript
from vllm_tui.provider.client import VLLMProvider
from vllm_tui.tools.registry import Registry
from vllm_tui.tools.tool import Tool
from vllm_tui.tools.toolbox import CheckedToolbox
from vllm_tui.wiring.parts import SystemClock

pytestmark = [pytest.mark.live, pytest.mark.skipif(not URL, reason="VLLM_TUI_LIVE_URL is not set")]

Decide = Callable[[CallRequest], Decision]


class Person:
    """Decides by a function."""

    def __init__(self, decide: Decide) -> None:
        self.asked: list[CallRequest] = []
        self._decide = decide

    async def decide(self, request: CallRequest) -> Decision:
        self.asked.append(request)
        return self._decide(request)


@pytest.fixture
async def provider() -> AsyncIterator[VLLMProvider]:
    async with VLLMProvider({"base_url": URL, "max_retries": 0, "max_tokens": 256}) as opened:
        yield opened


async def turn_of(provider: VLLMProvider, question: str, decide: Decide) -> tuple[Turn, Person]:
    async def run(arguments: JsonObject) -> JsonValue:
        return {"city": arguments["city"], "degrees": 21}

    clock = ToolSpec(name="get_time", description="Get the time.")
    tools = [Tool(WEATHER, "python", run), Tool(clock, "python", None)]
    person = Person(decide)
    model = (await provider.list_models())[0].id
    toolbox = CheckedToolbox(Registry(tools), approver=person)
    conversation = Conversation(provider, MemoryTranscript(), SystemClock(), toolbox=toolbox)
    async for event in conversation.ask(question, TurnSettings(model=model, effort="low")):
        if isinstance(event, TurnFinished):
            assert event.error is None, str(event.error)
    return conversation.turns[-1], person


def results(turn: Turn) -> list[tuple[JsonValue, bool]]:
    blocks = [block for entry in turn.rounds for message in entry.tool_results for block in message.content]
    return [(block.output, block.is_error) for block in blocks if isinstance(block, ToolResultBlock)]


def once(request: CallRequest) -> Decision:
    return RunOnce(request.fingerprint)


DECISIONS: dict[str, tuple[Decide, tuple[JsonValue, bool]]] = {
    "approved": (once, ({"city": "Paris", "degrees": 21}, False)),
    "edited": (lambda request: RunEdited({"city": "Rome"}), ({"city": "Rome", "degrees": 21}, False)),
    "by hand": (lambda request: AnswerByHand("windy"), ("windy", False)),
    "refused": (lambda request: Refuse("no"), ("The person refused this call. Reason: no", True)),
}


@pytest.mark.parametrize("name", DECISIONS)
async def test_a_call_is_decided_and_the_model_goes_on(provider: VLLMProvider, name: str) -> None:
    decide, expected = DECISIONS[name]
    turn, person = await turn_of(provider, "weather? [[script:weather]]", decide)
    assert [request.tool.name for request in person.asked] == ["get_weather"]
    assert results(turn) == [expected]
    assert len(turn.rounds) == 2
    assert turn.rounds[-1].answer.text


async def test_two_calls_at_once_are_both_answered(provider: VLLMProvider) -> None:
    turn, person = await turn_of(
        provider, "both? [[script:two_calls]]", lambda request: AnswerByHand(request.tool.name)
    )
    names = [output for output, _ in results(turn)]
    assert set(names) in ({"get_weather", "get_time"}, {"get_weather"})  # gpt-oss calls one tool at a time
    assert len(names) == len(person.asked)


async def test_a_call_to_a_tool_nobody_offers_is_answered_with_an_error(provider: VLLMProvider) -> None:
    turn, person = await turn_of(provider, "go [[script:unknown_tool_call]]", once)
    assert person.asked == []
    for output, is_error in results(turn):
        assert is_error
        assert "no tool called" in str(output)
