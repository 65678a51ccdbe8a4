"""Hints reach the person through the turn: as notes with the server options to try, once, and without false alarm."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from vllm_tui.domain.blocks import TextBlock, ToolCallBlock
from vllm_tui.domain.errors import RequestError, VLLMError
from vllm_tui.domain.events import BlockFinished, BlockStarted, Notice, ResponseFinished, StreamEvent
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse, ModelInfo
from vllm_tui.domain.turns import Turn
from vllm_tui.engine.conversation import Conversation, TurnSettings
from vllm_tui.engine.memory import MemoryTranscript
from vllm_tui.tools.advice import ToolAdviser
from vllm_tui.tools.registry import Registry, build_builtins
from vllm_tui.tools.tool import Tool
from vllm_tui.tools.toolbox import CheckedToolbox
from vllm_tui.wiring.parts import SystemClock

WEATHER = ToolSpec(
    name="get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
AS_TEXT = TextBlock(text='{"name": "get_weather", "arguments": {"city": "Paris"}}')
MODEL = "Qwen/Qwen3-8B"


class Provider:
    """Answers every request with the same blocks, or fails."""

    def __init__(self, *content: TextBlock | ToolCallBlock, error: VLLMError | None = None) -> None:
        self._content = content
        self._error = error

    async def stream(self, request: ChatRequest) -> AsyncGenerator[StreamEvent, None]:
        if self._error is not None:
            raise self._error
        for index, block in enumerate(self._content):
            yield BlockStarted(index, "text" if block.type == "text" else "tool_call")
            yield BlockFinished(index, block)
        yield ResponseFinished(ChatResponse(content=self._content, status="completed"))

    async def list_models(self) -> tuple[ModelInfo, ...]:
        return ()


async def told(provider: Provider, *, tools: bool = True, choice: str | None = None) -> tuple[list[str], Turn]:
    registry = Registry([*build_builtins(), *([Tool(WEATHER, "file", None)] if tools else [])])
    conversation = Conversation(
        provider, MemoryTranscript(), SystemClock(), toolbox=CheckedToolbox(registry), adviser=ToolAdviser()
    )
    settings = TurnSettings(model=MODEL, tool_choice=choice)
    events = [event async for event in conversation.ask("?", settings)]
    return [event.message for event in events if isinstance(event, Notice)], conversation.turns[-1]


async def test_a_call_written_as_text_names_the_cause_and_the_flags() -> None:
    messages, turn = await told(Provider(AS_TEXT))
    assert len(messages) == 1
    assert "looks like a call of get_weather written as text; nothing ran" in messages[0]
    assert messages[0].endswith("Start the server with: --enable-auto-tool-choice --tool-call-parser hermes")
    assert turn.notes == tuple(messages)


async def test_nothing_is_said_where_tools_were_switched_off_or_not_offered() -> None:
    assert (await told(Provider(AS_TEXT), choice="none"))[0] == []
    assert (await told(Provider(TextBlock(text='Here is JSON: {"city": "Paris"}')), tools=False))[0] == []


async def test_a_model_without_access_is_no_wonder_when_only_a_clock_and_a_calculator_are_offered() -> None:
    refuses = TextBlock(text="I can't access real-time data.")
    request = ChatRequest(
        messages=(Message(role="user", content="?"),), tools=(ToolSpec(name="calculator"),), model=MODEL
    )
    assert ToolAdviser().on_answer(request, ChatResponse(content=(refuses,), status="completed")) == ()
    offered = request.model_copy(update={"tools": (WEATHER,)})
    assert "chat template" in ToolAdviser().on_answer(offered, ChatResponse(content=(refuses,)))[0]


async def test_a_server_that_takes_no_tools_is_told_with_the_error() -> None:
    error = RequestError('"auto" tool choice requires --enable-auto-tool-choice', status=400)
    messages, turn = await told(Provider(error=error))
    assert len(messages) == 1
    assert "--tool-call-parser hermes" in messages[0]
    assert turn.status == "failed"
    assert turn.notes == tuple(messages)
