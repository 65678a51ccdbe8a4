"""The module in a real session: two instances, one answer, events under one id, the kernel's errors, no key."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from amplifier_core import AmplifierSession, HookResult, llm_errors
from amplifier_core import message_models as kernel
from amplifier_core.loader import ModuleLoader

CANARY = "sk-canary-4711"
NAMES = (
    "llm:request",
    "llm:request:raw",
    "llm:response:raw",
    "llm:response",
    "llm:stream_block_start",
    "llm:stream_block_delta",
    "llm:stream_block_end",
    "provider:retry",
)
pytestmark = pytest.mark.skipif("VLLM_BASE_URL" not in os.environ, reason="run.sh starts the server")


@pytest.fixture(autouse=True)
def kit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "kit"))


@asynccontextmanager
async def session(**config: object) -> AsyncIterator[tuple[Any, list[tuple[str, dict[str, Any]]]]]:
    """Open a session with two instances; the second is preferred. Gives it with all events it tells."""
    given = {"base_url": os.environ["VLLM_BASE_URL"], "api_key": CANARY, **config}
    plan = {
        "session": {"orchestrator": "loop-kit", "context": "context-kit"},
        "providers": [
            {"module": "provider-vllm", "config": given},
            {
                "module": "provider-vllm",
                "instance_id": "second",
                "config": {**given, "priority": 1, "reasoning": "low"},
            },
        ],
    }
    heard: list[tuple[str, dict[str, Any]]] = []

    async def hear(event: str, data: dict[str, Any]) -> HookResult:
        heard.append((event, data))
        return HookResult(action="continue")

    opened = AmplifierSession(plan)
    await opened.initialize()
    for name in NAMES:
        opened.coordinator.hooks.register(name, hear, name="test")
    try:
        yield opened, heard
    finally:
        await opened.cleanup()


async def test_the_module_is_discoverable() -> None:
    found = {module.id: module.type for module in await ModuleLoader().discover()}
    assert found["provider-vllm"] == "provider"


async def test_two_instances_stand_side_by_side_and_the_lower_priority_answers() -> None:
    async with session() as (opened, heard):
        providers = opened.coordinator.get("providers")
        assert sorted(providers) == ["second", "vllm"]
        assert [providers[name].priority for name in ("second", "vllm")] == [1, 100]
        assert await opened.execute("Hi")
        names = [name for name, _ in heard]
        assert (names[0], names[-1]) == ("llm:request", "llm:response")
        assert "llm:stream_block_delta" in names
        assert len({data["request_id"] for _, data in heard}) == 1
        usage = heard[-1][1]["usage"]
        assert usage["input_tokens"] > 0
        assert usage["output_tokens"] > 0


async def test_no_event_and_no_answer_holds_the_key() -> None:
    async with session(debug=True, raw_debug=True) as (opened, heard):
        answer = await opened.execute("Hi")
        assert heard
        assert CANARY not in json.dumps([answer, heard], default=str)


async def test_errors_are_the_kernels() -> None:
    async with session(base_url="http://127.0.0.1:9/v1", max_retries=0) as (opened, _):
        provider = opened.coordinator.get("providers")["vllm"]
        request = kernel.ChatRequest(messages=[kernel.Message(role="user", content="Hi")])
        with pytest.raises(llm_errors.NetworkError) as caught:
            await provider.complete(request)
        assert caught.value.provider == "vllm"
        with pytest.raises(llm_errors.NetworkError):
            await provider.list_models()


async def test_a_tool_call_goes_round() -> None:
    tool = kernel.ToolSpec(
        name="get_weather",
        description="Get the weather.",
        parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    )
    async with session() as (opened, _):
        provider = opened.coordinator.get("providers")["vllm"]
        question = kernel.Message(role="user", content="What is the weather in Paris?")
        first = await provider.complete(kernel.ChatRequest(messages=[question], tools=[tool]))
        (call,) = provider.parse_tool_calls(first)
        assert (call.name, call.arguments["city"]) == ("get_weather", "Paris")
        answer = kernel.Message(role="assistant", content=first.content, metadata=first.metadata)
        result = kernel.Message(role="tool", content="18 degrees", tool_call_id=call.id)
        second = await provider.complete(kernel.ChatRequest(messages=[question, answer, result], tools=[tool]))
        assert (second.tool_calls, bool(second.text)) == (None, True)
