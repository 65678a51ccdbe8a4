"""The provider against a running vLLM; scripted answers need the server that plays `[[script:...]]`."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from vllm_tui.domain.blocks import ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock, ToolResultBlock
from vllm_tui.domain.errors import InvalidRequest, NotFound
from vllm_tui.domain.events import BlockDelta, BlockFinished, BlockStarted, ContinuationStarted, ResponseFinished
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.domain.response import ChatResponse
from vllm_tui.provider.client import VLLMProvider

URL = os.environ.get("VLLM_TUI_LIVE_URL", "").rstrip("/")
pytestmark = [pytest.mark.live, pytest.mark.skipif(not URL, reason="VLLM_TUI_LIVE_URL is not set")]
WEATHER = ToolSpec(
    name="get_weather",
    description="Get the weather.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
)


@pytest.fixture
async def provider() -> AsyncIterator[VLLMProvider]:
    async with VLLMProvider({"base_url": URL, "max_retries": 0, "max_tokens": 256}) as opened:
        yield opened


@pytest.fixture
async def model(provider: VLLMProvider) -> str:
    return (await provider.list_models())[0].id


def asked(model: str, question: str, **fields: object) -> ChatRequest:
    return ChatRequest.model_validate(
        {"messages": (Message(role="user", content=question),), "model": model, "temperature": 0.0, **fields}
    )


async def finished(provider: VLLMProvider, request: ChatRequest) -> tuple[ChatResponse, list[object]]:
    """Return the response with all events before it."""
    events: list[object] = [event async for event in provider.stream(request)]
    last = events.pop()
    assert isinstance(last, ResponseFinished)
    return last.response, events


def png() -> str:
    """Return a picture of one pixel, as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    made = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")
    return base64.b64encode(made).decode()


async def test_the_served_model_comes_with_its_window(provider: VLLMProvider) -> None:
    (found, *_) = await provider.list_models()
    assert found.context_window is not None
    assert found.context_window >= 1024


async def test_text_streams_and_the_pieces_are_the_answer(provider: VLLMProvider, model: str) -> None:
    response, events = await finished(provider, asked(model, "Say hello.", max_output_tokens=24))
    streamed = "".join(event.text for event in events if isinstance(event, BlockDelta) and event.kind == "text")
    assert response.text
    assert streamed.strip() == response.text
    assert response.usage is not None
    assert response.usage.input_tokens
    assert response.usage.output_tokens


async def test_a_whole_reply_says_what_the_stream_says(provider: VLLMProvider, model: str) -> None:
    request = asked(model, "[[script:reason_text]] France?", reasoning_effort="low")
    whole = await provider.complete(request.model_copy(update={"metadata": {"stream": False}}))
    streamed = await provider.complete(request)
    assert [block.type for block in whole.content] == ["thinking", "text"]
    assert (whole.text, whole.thinking.strip()) == (streamed.text, streamed.thinking.strip())


async def test_reasoning_comes_before_the_text_and_apart_from_it(provider: VLLMProvider, model: str) -> None:
    request = asked(model, "[[script:reason_text]] What is the capital of France?", reasoning_effort="low")
    response, events = await finished(provider, request)
    assert [event.kind for event in events if isinstance(event, BlockStarted)] == ["thinking", "text"]
    assert [event.index for event in events if isinstance(event, BlockFinished)] == [0, 1]
    thinking, text = response.content
    assert isinstance(thinking, ThinkingBlock)
    assert thinking.thinking.strip() == "The user asks about France.\nIts capital is well known."
    assert text == TextBlock(text="The capital of France is **Paris**.")


async def test_a_tool_call_goes_round(provider: VLLMProvider, model: str) -> None:
    question = Message(role="user", content="[[script:weather]] What is the weather in Paris?")
    request = ChatRequest(messages=(question,), model=model, tools=(WEATHER,), reasoning_effort="low")
    first, _ = await finished(provider, request)
    (call,) = first.tool_calls
    assert (call.name, call.input, call.problem) == ("get_weather", {"city": "Paris", "unit": "celsius"}, None)
    assert first.finish_reason == "tool_calls"
    answer = Message(role="assistant", content=first.content, metadata=first.metadata)
    result = Message(role="tool", content=(ToolResultBlock(tool_call_id=call.id, output="21 degrees"),))
    second, _ = await finished(provider, request.model_copy(update={"messages": (question, answer, result)}))
    assert second.text == "It is 21 °C in Paris."
    assert second.tool_calls == ()


async def test_broken_arguments_come_as_text_and_can_be_sent_back(provider: VLLMProvider, model: str) -> None:
    question = Message(role="user", content="[[script:bad_json_call]] Paris?")
    request = ChatRequest(messages=(question,), model=model, tools=(WEATHER,), reasoning_effort="low")
    first, _ = await finished(provider, request)
    (call,) = first.tool_calls
    assert call.input == call.raw_arguments
    assert str(call.input).strip() == '{"city": "Paris",'
    assert call.problem is not None
    assert call.problem.startswith("The arguments are not valid JSON")
    answer = Message(role="assistant", content=first.content, metadata=first.metadata)
    result = Message(role="tool", content=(ToolResultBlock(tool_call_id=call.id, output="unreadable", is_error=True),))
    second, _ = await finished(provider, request.model_copy(update={"messages": (question, answer, result)}))
    assert second.status == "completed"


async def test_two_calls_keep_their_own_arguments(provider: VLLMProvider, model: str) -> None:
    if "gpt-oss" in model:
        pytest.skip("Harmony ends an answer at its first call")
    clock = ToolSpec(name="get_time", parameters={"type": "object", "properties": {"tz": {"type": "string"}}})
    request = asked(model, "[[script:two_calls]] London?", tools=(WEATHER, clock), reasoning_effort="low")
    response, _ = await finished(provider, request)
    calls = [block for block in response.content if isinstance(block, ToolCallBlock)]
    assert [(call.name, call.input) for call in calls] == [
        ("get_weather", {"city": "London", "unit": "celsius"}),
        ("get_time", {"tz": "UTC"}),
    ]
    assert len({call.id for call in calls}) == 2


async def test_an_answer_cut_at_the_limit_says_so(model: str) -> None:
    async with VLLMProvider({"base_url": URL, "max_continuations": 0}) as provider:
        response, _ = await finished(provider, asked(model, "Count to one hundred.", max_output_tokens=8))
    assert (response.finish_reason, response.status) == ("length", "incomplete")
    assert response.usage is not None
    assert response.usage.output_tokens == 8


async def test_a_cut_answer_is_continued_in_the_same_block(model: str) -> None:
    async with VLLMProvider({"base_url": URL, "max_continuations": 2}) as provider:
        response, events = await finished(provider, asked(model, "Count to one hundred.", max_output_tokens=8))
    started = [event.number for event in events if isinstance(event, ContinuationStarted)]
    assert started
    assert response.metadata["vllm:continuation_count"] == started[-1]
    assert [block.type for block in response.content] == ["text"]


async def test_a_model_without_eyes_refuses_an_image(provider: VLLMProvider, model: str) -> None:
    if "gpt-oss" in model:
        pytest.skip("vLLM leaves images out for this model without a word")
    image = ImageBlock(source={"type": "base64", "media_type": "image/png", "data": png()})
    question = Message(role="user", content=(TextBlock(text="What is this?"), image))
    with pytest.raises(InvalidRequest) as caught:
        await provider.complete(ChatRequest(messages=(question,), model=model))
    assert "image" in str(caught.value)


async def test_an_unknown_model_is_not_found(provider: VLLMProvider) -> None:
    with pytest.raises(NotFound) as caught:
        await provider.complete(asked("no-such-model", "Hi"))
    assert "no-such-model" in str(caught.value)
