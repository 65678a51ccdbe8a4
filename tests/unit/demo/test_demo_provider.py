"""The demo through the program's own provider: every failure becomes the error it stands for."""

from __future__ import annotations

import math
from contextlib import aclosing

import pytest
from vllm_tui.demo.failures import FAILURES
from vllm_tui.demo.transport import BASE_URL, DemoTransport
from vllm_tui.domain.errors import AuthenticationFailed, ContextLengthExceeded, StreamInterrupted, VLLMError
from vllm_tui.domain.events import BlockDelta, ResponseFinished, RetryScheduled, StreamEvent
from vllm_tui.domain.messages import Message, ToolSpec
from vllm_tui.domain.request import ChatRequest
from vllm_tui.provider.client import VLLMProvider
from vllm_tui.provider.config import ProviderConfig

WEATHER = ToolSpec(
    name="get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def config(**options: object) -> ProviderConfig:
    base = {
        "base_url": BASE_URL,
        "default_model": "openai/gpt-oss-20b",
        "min_retry_delay": 0.01,
        "max_retry_delay": 0.02,
    }
    return ProviderConfig.model_validate(base | options)


def request(question: str, **fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": (Message(role="user", content=question),), **fields})


async def events_of(asked: ChatRequest, **options: object) -> list[StreamEvent]:
    async with (
        VLLMProvider(config(**options), transport=DemoTransport(math.inf)) as provider,
        aclosing(provider.stream(asked)) as events,
    ):
        return [event async for event in events]


def prompt_of(name: str) -> str:
    return next(failure.prompt for failure in FAILURES if failure.name == name)


async def test_models_come_with_their_windows() -> None:
    async with VLLMProvider(config(), transport=DemoTransport(math.inf)) as provider:
        models = await provider.list_models()
    assert [(model.id, model.context_window) for model in models] == [
        ("openai/gpt-oss-20b", 131072),
        ("Qwen/Qwen3-8B", 32768),
    ]


async def test_a_stream_is_reasoning_then_text_then_usage() -> None:
    events = await events_of(request("How does paged attention work?"))
    kinds = [event.kind for event in events if isinstance(event, BlockDelta)]
    assert list(dict.fromkeys(kinds)) == ["thinking", "text"]
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    assert last.response.text.startswith("## Paged attention")
    assert last.response.usage is not None
    assert last.response.usage.reasoning_tokens


async def test_a_weather_question_calls_the_tool() -> None:
    events = await events_of(request("Weather in Oslo?", tools=(WEATHER,)))
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    assert [(call.name, call.input) for call in last.response.tool_calls] == [("get_weather", {"city": "Oslo"})]


@pytest.mark.parametrize(
    ("name", "kind"), [("key", AuthenticationFailed), ("context", ContextLengthExceeded), ("dies", StreamInterrupted)]
)
async def test_a_failure_is_the_error_it_stands_for(name: str, kind: type[VLLMError]) -> None:
    with pytest.raises(kind):
        await events_of(request(prompt_of(name)), max_retries=0)


async def test_overloaded_is_retried_until_it_answers() -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    async with VLLMProvider(config(max_retries=3, max_retry_delay=5), transport=DemoTransport(math.inf)) as provider:
        provider._session.sleep = wait
        events = [event async for event in provider.stream(request(prompt_of("overloaded")))]
    assert [event.attempt for event in events if isinstance(event, RetryScheduled)] == [1, 2]
    assert waits == [1, 1]
    assert isinstance(events[-1], ResponseFinished)
